/** A connection that is opened again, after ever longer waits, until it is wanted no more. */
const FIRST_WAIT_MS = 1000
const LONGEST_WAIT_MS = 20_000

export interface Listening {
  /** The connection stands. */
  opened: () => void
  said: (text: string) => void
  /** It broke, or could not be opened; the next attempt is on its way. */
  lost: () => void
}

export class Reconnecting {
  private socket: WebSocket | null = null
  private wait = FIRST_WAIT_MS
  private timer: ReturnType<typeof setTimeout> | undefined
  private wanted = false

  constructor(
    private readonly path: string,
    private readonly listening: Listening,
  ) {}

  start(): void {
    if (this.wanted) return
    this.wanted = true
    this.connect()
  }

  stop(): void {
    this.wanted = false
    clearTimeout(this.timer)
    this.socket?.close()
    this.socket = null
  }

  /** Try at once, as if nothing had been lost: the network is said to be there again, or to be another one. */
  renew(): void {
    if (!this.wanted) return
    clearTimeout(this.timer)
    const old = this.socket
    this.socket = null
    old?.close()
    this.wait = FIRST_WAIT_MS
    this.connect()
  }

  /** Give this connection up; the next one is opened after a wait. */
  drop(): void {
    this.socket?.close()
  }

  send(text: string): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(text)
  }

  private connect(): void {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws'
    const opened = new WebSocket(`${scheme}://${location.host}${this.path}`)
    opened.binaryType = 'arraybuffer'
    opened.onopen = () => {
      if (this.socket !== opened) return
      this.wait = FIRST_WAIT_MS
      this.listening.opened()
    }
    opened.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (this.socket === opened) this.listening.said(typeof data === 'string' ? data : new TextDecoder().decode(data))
    }
    opened.onclose = () => {
      if (this.socket !== opened || !this.wanted) return
      this.listening.lost()
      this.timer = setTimeout(() => this.connect(), this.wait)
      this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS)
    }
    this.socket = opened
  }
}
