"""The vocabulary of proposals: kinds, forms, states and answers, with the words deputies, members and offices use for them."""

from __future__ import annotations

from oa_server.core.words import Word


class Assembly(Word):
    """Whose sitting it is."""

    CONGRESS = "congress", "人民代表大会"
    CONSULTATIVE = "consultative", "政协委员会"


class ProposalKind(Word):
    """What is put forward; the first two before a congress, the last before the consultative conference."""

    BILL = "bill", "议案"
    SUGGESTION = "suggestion", "建议"
    PROPOSAL = "proposal", "提案"

    @property
    def number_word(self) -> str:
        """The character that stands for the kind in a case number."""
        return self.title_zh[0]


class ProposalForm(Word):
    INDIVIDUAL = "individual", "个人"
    JOINT = "joint", "联名"
    COLLECTIVE = "collective", "集体"
    DELEGATION = "delegation", "代表团"


class Occasion(Word):
    SESSION = "session", "会议期间"
    ORDINARY = "ordinary", "平时"


class ProposalState(Word):
    """A case, from the draft to the day on which nothing is left to be done."""

    DRAFT = "draft", "草稿"
    COSIGNING = "cosigning", "征集附议"
    SUBMITTED = "submitted", "待登记"
    RETURNED = "returned", "退回修改"
    REGISTERED = "registered", "待审查"
    UNDER_REVIEW = "under_review", "审查中"
    FILED = "filed", "已立案"
    DISPATCHED = "dispatched", "已交办"
    HANDLING = "handling", "办理中"
    REPLIED = "replied", "已答复"
    REHANDLING = "rehandling", "二次办理"
    TRACKING = "tracking", "跟踪落实"
    CLOSED = "closed", "办结"
    REJECTED = "rejected", "不予立案"
    MERGED = "merged", "已并案"
    WITHDRAWN = "withdrawn", "已撤案"


class Consent(Word):
    """How a proposer stands behind the text."""

    ASKED = "asked", "待确认"
    SIGNED = "signed", "已签名"
    PAPER = "paper", "书面签名"
    DECLINED = "declined", "谢绝附议"


class RejectionCode(Word):
    """不予立案的情形 (政协全国委员会提案工作条例；地方人大代表建议办理规定)."""

    SECRET = "secret", "涉及党和国家秘密"
    FORBIDDEN = "forbidden", "国家明令禁止"
    PARTY_INTERNAL = "party_internal", "中共党员反映党内有关组织、人事安排等问题"
    OWN_PARTY = "own_party", "民主党派成员反映本组织内部问题"
    LITIGATION = "litigation", "进入民事、刑事、行政诉讼或者仲裁程序"
    ACADEMIC = "academic", "属于学术研讨"
    PRIVATE = "private", "为本人或者亲属解决个人问题"
    PROMOTION = "promotion", "宣传、推介具体作品、产品"
    ACCUSATION = "accusation", "指名举报"
    EMPTY = "empty", "内容空泛、没有具体意见建议"


class Forwarding(Word):
    """The way on for what is not filed."""

    NONE = "none", "不转送"
    OPINION = "opinion", "作社情民意信息"
    LETTER = "letter", "作来信处理"
    REFERENCE = "reference", "送有关单位参阅"


class AssignmentRole(Word):
    LEAD = "lead", "主办"
    COHANDLER = "cohandler", "协办"
    SEPARATE = "separate", "分别办理"
    REFERENCE = "reference", "参阅"

    @property
    def answers(self) -> bool:
        """Whether an organ in this role answers the proposers itself."""
        return self in {AssignmentRole.LEAD, AssignmentRole.SEPARATE}


class AssignmentState(Word):
    """What an organ has been given, from its arrival to the proposers' judgement."""

    PENDING = "pending", "待签收"
    RETURN_REQUESTED = "return_requested", "申请退办"
    ARBITRATION = "arbitration", "待裁定"
    HANDLING = "handling", "办理中"
    OPINION_GIVEN = "opinion_given", "已提协办意见"
    REPLY_READY = "reply_ready", "答复待审核"
    REPLIED = "replied", "已答复"
    DONE = "done", "办结"
    SUPERSEDED = "superseded", "已改办"


class ContactForm(Word):
    """面商的方式."""

    VISIT = "visit", "走访"
    MEETING = "meeting", "座谈"
    TELEPHONE = "telephone", "电话"
    LETTER = "letter", "信函"
    WAIVED = "waived", "代表委员表示不需面商"


class ResultClass(Word):
    """办理结果的类别."""

    A = "A", "所提问题已经解决或者基本解决"
    B = "B", "正在解决或者已列入计划逐步解决"
    C = "C", "因条件限制或者其他原因暂时不能解决"
    D = "D", "留作参考"


class ReplyPublicity(Word):
    """答复的公开."""

    FULL = "full", "全文公开"
    SUMMARY = "summary", "摘要公开"
    CLOSED = "closed", "不公开"


class ReplyState(Word):
    CHECKING = "checking", "待审核"
    PASSED = "passed", "审核通过"
    SENT_BACK = "sent_back", "退回重办"


class FeedbackState(Word):
    REQUESTED = "requested", "待评价"
    SIGNED = "signed", "证书签名"
    CODED = "coded", "一次性评价码"
    PAPER = "paper", "书面代录"
    EXPIRED = "expired", "逾期未评价"


class Satisfaction(Word):
    """满意度."""

    SATISFIED = "satisfied", "满意"
    MOSTLY = "mostly", "基本满意"
    UNSATISFIED = "unsatisfied", "不满意"


class CaseWait(Word):
    """What a case waits for at somebody's desk."""

    CONSENT = "consent", "待附议确认"
    JUDGE = "judge", "待评价"
    LED = "led", "我督办的重点件"
    REGISTER = "register", "待登记"
    REVIEW = "review", "待审查"
    FILE = "file", "待立案"
    DISPATCH = "dispatch", "待交办"


class AssignmentWait(Word):
    """What an assignment waits for at somebody's desk."""

    RECEIVE = "receive", "待签收"
    ANSWER = "answer", "待答复"
    OPINION = "opinion", "待提会办意见"
    RETURNED = "returned", "退办待决定"
    ARBITRATE = "arbitrate", "待裁定"
    EXTEND = "extend", "延期待批"
    CHECK = "check", "答复待审核"
