"""组织与身份 identity: organs, their units and posts, officials, who may do what, and who is signed in.

Owns: organs and their remits, units, officials, posts, responsibilities, sign-in challenges and sessions.
Calls: audit (through the unit of work), and asks the certificate register through `core.ports.CertificateRegister`.
Announces: `OrganRegistered`.

Vocabulary: 机关 = organ, 主要职责 = remit, 部门/处室 = unit, 岗位/职务 = post, 人员 = official, 职责 = responsibility, 会话 = session.
"""
