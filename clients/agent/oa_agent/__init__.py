"""密钥代理 oa-agent: stands beside the browser, lists certificates, answers sign-in challenges and signs what the
server asks.

The page speaks JSON to it over a loopback WebSocket, people over the command line; both reach the same commands.
The PIN is asked for by the agent itself and never passes the page. What is signed is either a sign-in challenge
bound to the page's origin, or the signed attributes of a request that the server signed and whose content the
agent shows: there is no way to have it sign bytes of one's choice.

Vocabulary: 证书介质 = token (a PKCS #11 device, or the folder of software key files), 登录证书 = sign-in certificate,
签名证书 = signing certificate, 印章证书 = seal certificate, 来源 = origin (scheme, host and port of a web page).
"""

VERSION = "0.1.0"
