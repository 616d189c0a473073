import { describe, expect, it } from 'vitest'

import type { Alike, Assignment, Member, Proposal } from '@/api/proposals'
import type { Ability, HistoryEntry, Organ } from '@/api/types'
import { en } from '@/words/en'
import { zh } from '@/words/zh'

import { comparable, hintsOf, inTurn, isUnsettled, marked, mergeable, namedIn } from './alike'
import { actOf, asked, emptyOf, formOf, isComplete, ordered, telling, type Filled } from './acts'
import { asText, differing, emptyDraft, formFor, sameDraft } from './draft'
import { emptyJudgement, isJudged, spelled } from './judgement'
import { readMembers } from './members'
import { followed, onPaper, optionsOf, toSpeakWith } from './options'
import { given, preparedLoad, readinessOf, readyCases, toggled, withHandler, withoutOrgan } from './prepared'
import { trackOf } from './track'
import { groupCounts, GROUPS, limitWord, statesOf, toneOf, toneOfClass } from './vocabulary'

const one = () => 1

function member(id: string, others: Partial<Member> = {}): Member {
  return { id, code: id, name: id, delegation: '', party: '', employer: '', duty: '', has_account: false, ...others }
}

function ability(verb: string, code = ''): Ability {
  return { verb, allowed: !code, reason: code ? { code, title: code } : null }
}

function entry(verb: string, at: string): HistoryEntry {
  return { at, actor_name: '', verb, title: '' }
}

describe('the tabs of the list', () => {
  it('hold every state once, and count over all sittings', () => {
    expect(Object.values(GROUPS).flat().sort()).toEqual(Object.keys(zh.proposals.states).sort())
    expect(statesOf('reviewing')).toBe('registered,under_review')
    expect(statesOf('')).toBe('')
    const counts = groupCounts([{ registered: 2, under_review: 1 }, { under_review: 4, closed: 1 }])
    expect([counts.reviewing, counts.closed, counts.filed]).toEqual([7, 1, 0])
  })
  it('give a colour to what needs somebody, and to classes of results', () => {
    expect([toneOf('submitted'), toneOf('rejected'), toneOf('draft')]).toEqual(['amber', 'red', 'plain'])
    expect([toneOfClass('A'), toneOfClass('D'), toneOfClass(null)]).toEqual(['green', 'plain', 'plain'])
  })
  it('name a limit in the language of the reader', () => {
    expect(limitWord(en, '答复')).toBe('Reply')
    expect(limitWord(zh, '答复')).toBe('答复')
    expect(limitWord(en, '自定')).toBe('自定')
  })
})

describe('the way of a case', () => {
  const states = (state: string, number = '1', history: HistoryEntry[] = []) =>
    trackOf({ state, case_no: number, history }).map((stage) => stage.state)
  it('is behind it, where it is, and before it', () => {
    expect(states('draft')).toEqual(['current', ...Array<string>(7).fill('next')])
    expect(states('handling').slice(3)).toEqual(['done', 'done', 'current', 'next', 'next'])
    expect(states('closed')).toEqual(Array(8).fill('done'))
  })
  it('ends where it was rejected, merged or withdrawn', () => {
    expect(states('rejected').slice(0, 4)).toEqual(['done', 'done', 'ended', 'next'])
    expect(states('merged')[2]).toBe('ended')
    expect(states('withdrawn')[2]).toBe('ended')
    expect(states('withdrawn', '')[0]).toBe('ended')
  })
  it('tells when each stage was left for the last time', () => {
    const history = [
      entry('proposals.submitted', '1'), entry('proposals.returned', '2'), entry('proposals.submitted', '3'),
    ]
    expect(trackOf({ state: 'submitted', case_no: '', history })[0]).toEqual({ code: 'write', state: 'done', at: '3' })
  })
})

describe('what is prepared to be dispatched', () => {
  const lead = { organ_id: 'a', role: 'lead' }
  const help = { organ_id: 'b', role: 'cohandler' }
  const alone = { organ_id: 'c', role: 'separate' }
  it('is ready with one lead, or with two that answer separately', () => {
    expect(readinessOf([])).toBe('empty')
    expect(readinessOf([help])).toBe('nobody')
    expect(readinessOf([lead, help])).toBe('ready')
    expect(readinessOf([alone])).toBe('one')
    expect(readinessOf([alone, { organ_id: 'd', role: 'separate' }])).toBe('ready')
    expect(readinessOf([lead, alone])).toBe('both')
  })
  it('has one lead, and each organ in one role', () => {
    expect(withHandler([lead], { organ_id: 'b', role: 'lead' })).toEqual([{ organ_id: 'b', role: 'lead' }])
    expect(withHandler([help], lead)).toEqual([lead, help])
    expect(withHandler([lead], { organ_id: 'a', role: 'reference' })).toEqual([{ organ_id: 'a', role: 'reference' }])
    expect(toggled([lead], lead)).toEqual([])
    expect(toggled([], lead)).toEqual([lead])
    expect(withoutOrgan([lead, help], 'a')).toEqual([help])
  })
  it('counts what each organ gets, and sends only what is ready', () => {
    const prepared = given(given({}, ['1', '2'], lead), ['2', '3'], help)
    expect(prepared).toEqual({ 1: [lead], 2: [lead, help], 3: [help] })
    expect(preparedLoad(prepared)).toEqual({ a: 2, b: 2 })
    expect(readyCases(prepared).map(({ proposal_id: id }) => id)).toEqual(['1', '2'])
  })
})

describe('the forms of acts', () => {
  it('ask for every box, or for one', () => {
    const file = formOf('case', 'file')
    expect(isComplete(file, { checklist: ['one_matter'] }, () => 4)).toBe(false)
    expect(isComplete(file, { checklist: ['a', 'b', 'c', 'd'] }, () => 4)).toBe(true)
    expect(isComplete(formOf('case', 'record_paper'), { members: ['1'] }, () => 4)).toBe(true)
    expect(isComplete(formOf('case', 'register'), {}, one)).toBe(true)
  })
  it('send what is chosen as parameters, reasons and opinions beside them', () => {
    const filled: Filled = { code: 'secret', forwarding: 'none', reason: ' 见保密规定 ' }
    expect(isComplete(formOf('case', 'reject'), { ...filled, reason: ' ' }, one)).toBe(false)
    const parameters = { code: 'secret', forwarding: 'none' }
    expect(actOf('reject', formOf('case', 'reject'), filled)).toEqual({ verb: 'reject', parameters, reason: '见保密规定' })
    const opinion = actOf('give_opinion', formOf('assignment', 'give_opinion'), { opinion: '同意' })
    expect(opinion).toEqual({ verb: 'give_opinion', opinion: '同意' })
    expect(actOf('register', formOf('case', 'register'), {})).toEqual({ verb: 'register' })
  })
  it('ask for the ground only of what is not published in full', () => {
    const reply = formOf('assignment', 'reply')
    const filled: Filled = { document_id: '1', result: 'A', publicity: 'full', publicity_ground: '' }
    expect(asked(reply, filled).map((ask) => ask.key)).not.toContain('publicity_ground')
    expect(isComplete(reply, filled, one)).toBe(true)
    expect(isComplete(reply, { ...filled, publicity: 'closed' }, one)).toBe(false)
    expect(actOf('reply', reply, filled).parameters).toEqual({ document_id: '1', result: 'A', publicity: 'full' })
  })
  it('send a point without what is not known yet, and no day for none', () => {
    const points = [{ text: ' 建停车场 ', result: '', measure: '', owner: '', planned_on: '' }]
    const form = formOf('assignment', 'set_points')
    expect(isComplete(form, { points }, one)).toBe(true)
    expect(isComplete(form, { points: [{ ...points[0], text: ' ' }] as typeof points }, one)).toBe(false)
    const sent = { text: '建停车场', result: null, measure: '', owner: '', planned_on: null }
    expect(actOf('set_points', form, { points }).parameters).toEqual({ points: [sent] })
    const reviewed = actOf('review_point', formOf('assignment', 'review_point'), {
      point_id: '1', result: 'A', planned_on: '', reason: '已建成',
    })
    expect(reviewed.parameters).toEqual({ point_id: '1', result: 'A', planned_on: null })
  })
  it('are complete with an organ that answers, and begin empty', () => {
    const dispatch = formOf('case', 'dispatch')
    expect(isComplete(dispatch, { handlers: [] }, one)).toBe(false)
    expect(isComplete(dispatch, { handlers: [{ organ_id: 'a', role: 'lead' }] }, one)).toBe(true)
    expect(['ticks', 'number', 'area'].map((kind) => emptyOf(kind as 'ticks'))).toEqual([[], 1, ''])
    expect(isComplete(formOf('assignment', 'ask_extension'), { months: 1, reason: '需现场勘查' }, one)).toBe(true)
  })
  it('stand in the order of what mostly comes next, and tell why not only where it tells something', () => {
    const all = [ability('return'), ability('reject'), ability('file'), ability('dispatch', 'proposals.wrong_state')]
    expect(ordered(telling(all)).map(({ verb }) => verb)).toEqual(['file', 'return', 'reject'])
    expect(telling([ability('file', 'proposals.not_committee')])).toHaveLength(1)
  })
  it('have words for every verb and every question, in both languages', () => {
    for (const { proposals: said } of [zh, en]) {
      for (const subject of ['case', 'assignment'] as const) {
        for (const verb of Object.keys(said.acts[subject]).filter((name) => name !== 'edit')) {
          expect(said.asks[subject][verb], verb).toBeTruthy()
          expect(said.done[subject][verb], verb).toBeTruthy()
          for (const { key } of formOf(subject, verb).asks ?? []) expect(said.labels[key], key).toBeTruthy()
        }
      }
    }
  })
})

describe('what can be chosen', () => {
  const proposer = (id: string, others: object = {}) =>
    ({ id, member: member(id), stands_behind: false, has_withdrawn: false, ...others }) as Proposal['proposers'][number]
  const found = {
    round: 2,
    proposers: [
      proposer('甲', { member: member('甲', { has_account: true }) }),
      proposer('乙', { member: member('乙', { delegation: '城东代表团' }) }),
      proposer('丙', { stands_behind: true }),
    ],
  } as Proposal
  it('are for a clerk those who sign on paper and have not yet', () => {
    expect(onPaper(found, 'record_paper')).toEqual([{ value: '乙', label: '乙　城东代表团' }])
    expect(onPaper(found, 'withdraw').map((option) => option.value)).toEqual(['乙', '丙'])
  })
  it('are first the proposers with whom nobody has spoken in this round, those of merged cases too', () => {
    const contacts = [{ proposer: '甲', round: 2 }, { proposer: '乙', round: 1 }]
    const merged = { proposers: [proposer('丁')] } as Proposal
    const options = toSpeakWith(found, [merged], { contacts } as Assignment)
    expect(options.map((option) => option.value)).toEqual(['乙', '丙', '丁', '甲'])
  })
  it('are of points those that are followed up', () => {
    const points = [{ id: '1', text: '甲', result: 'A' }, { id: '2', text: '乙', result: 'B' }, { id: '3', text: '丙', result: null }]
    expect(followed(zh, { points } as Assignment)).toEqual([{ value: '2', label: 'B类　乙' }])
    expect(optionsOf({ a: '甲' })).toEqual([{ value: 'a', label: '甲' }])
  })
})

describe('a draft', () => {
  it('has the form that goes with how many stand behind it', () => {
    expect([formFor('individual', 1), formFor('individual', 2), formFor('joint', 1), formFor('joint', 3)]).toEqual([
      'individual', 'joint', 'individual', 'joint',
    ])
    expect(formFor('collective', 1)).toBe('collective')
  })
  it('differs by its words and its proposers', () => {
    const empty = emptyDraft('suggestion', null)
    expect(sameDraft(empty, emptyDraft('suggestion', null))).toBe(true)
    const written = { elements: { ...empty.elements, title: '关于停车的建议' }, members: [member('1')] }
    expect(differing(empty, written)).toEqual(['title', 'members'])
  })
  it('can be kept as plain text', () => {
    const draft = emptyDraft('suggestion', member('1'))
    Object.assign(draft.elements, { title: '题', situation: '甲', analysis: '乙', request: '丙' })
    expect(asText(draft, zh.proposals.parts)).toBe('题\n\n一、情况\n甲\n\n二、分析\n乙\n\n三、建议\n丙')
  })
})

describe('a judgement', () => {
  it('answers every question, and says why when somebody is not satisfied', () => {
    expect(isJudged(emptyJudgement())).toBe(false)
    const good = { contact: 'satisfied', attitude: 'satisfied', result: 'mostly', text: '' }
    expect(isJudged(good)).toBe(true)
    expect(isJudged({ ...good, result: 'unsatisfied' })).toBe(false)
    expect(isJudged({ ...good, attitude: 'unsatisfied', text: '未见面' })).toBe(true)
    expect(isJudged({ ...good, contact: 'unsatisfied' })).toBe(true)
  })
  it('has a code that can be read out', () => {
    expect(spelled('ABCDEFGH2345')).toBe('ABCD-EFGH-2345')
  })
})

describe('a list of members', () => {
  it('is read from a sheet or from text with commas, and tells the lines that name nobody', () => {
    const { members, wrong } = readMembers('D001\t何平安\t城东代表团\n\nD002，邱红\n没有编号的一行\n')
    expect(members.map(({ code, name, delegation }) => [code, name, delegation])).toEqual([
      ['D001', '何平安', '城东代表团'], ['D002', '邱红', ''],
    ])
    expect(wrong).toEqual([4])
  })
})

describe('what is alike', () => {
  const own = { id: '4', name: '第四次会议' }
  const alike = {
    id: '1', sitting: own, kind: 'suggestion', case_no: '', title: '', state: 'filed', state_title: '', likeness: 0.6, shared: [], organs: [],
    may_open: true,
  } satisfies Alike

  it('is asked for once a text says something', () => {
    const { elements } = emptyDraft('suggestion', null)
    expect(comparable({ ...elements, title: '关于' }, null)).toBeNull()
    expect(comparable({ ...elements, title: '关于停车的建议' }, '7')).toMatchObject({ title: '关于停车的建议', proposal_id: '7' })
    expect(comparable({ ...elements, request: '改' }, null)).not.toBeNull()
  })
  it('matters while somebody is to decide, and to those who decide', () => {
    const found = { state: 'registered', proposers: [{ is_own: false }] } as Proposal
    expect(isUnsettled(found)).toBe(true)
    expect(isUnsettled({ ...found, state: 'handling' })).toBe(false)
    expect(isUnsettled({ ...found, proposers: [{ is_own: true }] as Proposal['proposers'] })).toBe(false)
  })
  it('can be merged into where it is of the same sitting and kind, and not given out', () => {
    const { elements } = emptyDraft('suggestion', null)
    const others: Partial<Alike>[] = [{}, { sitting: { id: '3', name: '' } }, { kind: 'bill' }, { state: 'handling' }, { may_open: false }]
    const found = others.map((change, index) => ({ ...alike, id: String(index), ...change }))
    expect(mergeable(found, { sitting: own, elements }).map((one) => one.id)).toEqual(['0'])
  })
  it('is marked where both say the same, the longest first', () => {
    const pieces = marked('老旧小区停车位严重不足，消防通道', ['停车位', '消防通道', '停车位严重不足'])
    expect(pieces.map(({ text, isShared }) => (isShared ? `[${text}]` : text)).join('')).toBe('老旧小区[停车位严重不足]，[消防通道]')
    expect(marked('', ['停车'])).toEqual([])
  })
  it('suggests organs that are wished for and organs that led it, each with its reasons', () => {
    const organ = (id: string, short: string, name: string): Organ => ({ id, code: id, name, short_name: short, level: '', superior_id: null })
    const organs = [organ('1', '市政府', '江城市人民政府'), organ('2', '市政府办公室', '江城市人民政府办公室'), organ('3', '市交通局', '江城市交通运输局')]
    const wished = namedIn('江城市交通运输局、市政府办公室，市交通局', organs)
    expect(wished.map((one) => one.id)).toEqual(['3', '2'])
    const suggested = [{ organ: { id: '4', name: '市财政局' }, share: 0.4, led: [{ sitting: own, count: 1 }], remits: [] }, {
      organ: { id: '3', name: '市交通局' }, share: 0.6, led: [{ sitting: own, count: 2 }, { sitting: { id: '3', name: '第三次会议' }, count: 1 }],
      remits: [{ text: '公共交通与公交线路', shared: ['公交线路', '交通'] }],
    }, { organ: { id: '5', name: '市公安局' }, share: 0, led: [], remits: [{ text: '道路交通秩序', shared: ['交通秩序'] }] }]
    expect(hintsOf(zh, wished, suggested, '4').map(({ organ: { name }, why }) => `${name}：${why}`)).toEqual([
      '市交通局：提案人希望；本次会议2件、第三次会议1件相似件由其主办；职责“公共交通与公交线路”与本件同有“公交线路、交通”', '市政府办公室：提案人希望',
      '市财政局：本次会议1件相似件由其主办', '市公安局：职责“道路交通秩序”与本件同有“交通秩序”',
    ])
  })
  it('is asked for one case after another, also when one is refused', async () => {
    const told: string[] = []
    const asks = ['甲', '乙', '丙'].map((name) => inTurn(async () => {
      told.push(`${name}始`)
      await Promise.resolve()
      if (name === '甲') throw new Error(name)
      told.push(`${name}终`)
    }))
    await Promise.allSettled(asks)
    expect(told).toEqual(['甲始', '乙始', '乙终', '丙始', '丙终'])
  })
})
