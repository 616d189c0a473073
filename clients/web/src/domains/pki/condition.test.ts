import { describe, expect, it } from 'vitest'

import type { Condition } from '@/api/admin'
import { zh } from '@/words/zh'

import { linesOf } from './condition'

const place = { name: 'file:///副本', size: 10, at: null, behind: 0, problem: null }
const well: Condition = {
  checks: [{ name: 'database', ready: true, ms: 1, problem: null }],
  clock_seconds: 0.1,
  clock_wrong: false,
  heads: { leaves: 10, size: 10, root: null, at: null, copies: [place] },
  head_late: false,
  webhooks: [],
  scanner: null,
  files_held: 0,
  release_checked: true,
}
const told = (change: Partial<Condition>) =>
  linesOf(zh, { ...well, ...change }).filter((line) => line.isBad).map(({ name, text }) => `${name}：${text}`)

describe('the condition of the installation', () => {
  it('is well while nothing is down, and a copy may be a moment behind', () => {
    expect(told({})).toEqual([])
    expect(told({ heads: { ...well.heads, copies: [{ ...place, behind: 1 }] }, clock_seconds: null })).toEqual([])
  })
  it('names what is away, wrong or behind, one line each', () => {
    const checks = [{ name: 'object_store', ready: false, ms: 3000, problem: '存储没有应答' }]
    expect(told({ checks })).toEqual(['附件存储：存储没有应答'])
    expect(told({ clock_seconds: -3, clock_wrong: true })).toEqual(['服务器时钟：误差-3秒，已暂停签名，请系统管理员校准'])
    expect(told({ scanner: { name: 'scanner', ready: false, ms: 3, problem: '病毒检查服务没有应答' }, files_held: 2 })).toEqual([
      '病毒检查：病毒检查服务没有应答（2个附件待检）',
    ])
    expect(told({ files_held: 1 })).toHaveLength(1)
    expect(told({ head_late: true })).toHaveLength(1)
    const copies = [{ ...place, behind: 5 }, { ...place, problem: '副本无法识别' }]
    expect(told({ heads: { ...well.heads, copies } })).toEqual([
      '树头和库外副本：副本 file:///副本 落后5个树头', '树头和库外副本：file:///副本　副本无法识别',
    ])
  })
  it('leads to the system whose receiver refuses', () => {
    const webhook = { client: 'c', name: '财政系统', attempts: 3, last_answer: 'HTTP 500', next_try_at: null, stopped: false }
    const all = linesOf(zh, { ...well, webhooks: [webhook, { ...webhook, stopped: true }] })
    const lines = all.filter((line) => line.isBad)
    expect(lines.map(({ text, to }) => [text, to])).toEqual([
      ['财政系统连续失败3次（HTTP 500）', '/admin/systems/c'], ['财政系统已停止推送（HTTP 500）', '/admin/systems/c'],
    ])
  })
})
