"""The catalogue of what is recorded: every act is a named constant, with the facts it carries beside it."""

from __future__ import annotations

from enum import StrEnum


class Verb(StrEnum):
    """An act. The comment tells its facts; every record also has who, when, from where and on what."""

    # audit
    HEAD_SIGNED = "audit.head_signed"  # size, root

    # lists that leave the system as files
    LIST_EXPORTED = "exports.list_exported"  # file, filter, count

    # backup
    BACKUP_MADE = "backup.made"  # name, manifest (sha256), records
    BACKUP_RESTORED = "backup.restored"  # name, manifest (sha256), made_at, records, lacks (for each place: size, root)

    # identity
    DIRECTORY_IMPORTED = "identity.directory_imported"  # organs, units, officials, file_sha256
    DIRECTORY_EXPORTED = "identity.directory_exported"  # file, filter, count
    ORGAN_KEPT = "identity.organ_kept"  # did, code, changed (column: old, new)
    REMITS_KEPT = "identity.remits_kept"  # code, entered, dropped
    UNIT_KEPT = "identity.unit_kept"  # did, name, changed
    OFFICIAL_KEPT = "identity.official_kept"  # did, code, changed, successor
    POST_KEPT = "identity.post_kept"  # did, official, unit, changed
    ROLE_PROPOSED = "identity.role_proposed"  # official, organ, role
    ROLE_DECIDED = "identity.role_decided"  # did, official, organ, role, proposed_by
    ROLE_TAKEN = "identity.role_taken"  # official, organ, role, reason
    DUTY_KEPT = "identity.duty_kept"  # did, organ, official, starts_at, ends_at
    SIGNED_IN = "identity.signed_in"  # serial, address
    SIGN_IN_REFUSED = "identity.sign_in_refused"  # code, serial
    SESSION_ENDED = "identity.session_ended"  # reason
    CLIENT_REGISTERED = "identity.client_registered"  # code, scopes, certificate
    CLIENT_DECIDED = "identity.client_decided"  # code, verb
    CLIENT_ADMITTED = "identity.client_admitted"  # code, scopes, bound, purpose
    CLIENT_REFUSED = "identity.client_refused"  # code, client

    # installation
    RELEASE_REFUSED = "installation.release_refused"  # reason, file
    SETTING_CHANGED = "installation.setting_changed"  # old, new, waits
    SETTING_DECIDED = "installation.setting_decided"  # did, new
    SETTINGS_IMPORTED = "installation.settings_imported"  # file_sha256, difference, settings (how many)

    # pki
    AUTHORITY_CREATED = "pki.authority_created"  # root, issuing (fingerprints)
    ENROLMENT_OPENED = "pki.enrolment_opened"  # expires_at
    ENROLMENT_FINISHED = "pki.enrolment_finished"  # –
    DEVICE_REGISTERED = "pki.device_registered"  # kind, label
    DEVICE_KEPT = "pki.device_kept"  # became, note, suspended (serials)
    CERTIFICATE_REQUESTED = "pki.certificate_requested"  # profile, holder, kind
    CERTIFICATE_APPROVED = "pki.certificate_approved"  # serial
    CERTIFICATE_REFUSED = "pki.certificate_refused"  # reason
    CERTIFICATE_ISSUED = "pki.certificate_issued"  # serial, profile, holder
    CERTIFICATE_INSTALLED = "pki.certificate_installed"  # serial
    CERTIFICATE_SUSPENDED = "pki.certificate_suspended"  # serial
    CERTIFICATE_RESUMED = "pki.certificate_resumed"  # serial
    CERTIFICATE_REVOKED = "pki.certificate_revoked"  # serial, reason
    CRL_ISSUED = "pki.crl_issued"  # number, entries

    # deadlines
    CALENDAR_KEPT = "deadlines.calendar_kept"  # notice, sha256, changed (of the years that are seeded: notice, years)
    OFFICE_HOURS_KEPT = "deadlines.office_hours_kept"  # notice, seasons
    LOCAL_HOLIDAY_KEPT = "deadlines.local_holiday_kept"  # organ, name, is_off, days
    CLOCKS_STARTED = "deadlines.clocks_started"  # policies, clocks (how many)
    CLOCKS_PAUSED = "deadlines.clocks_paused"  # on, clocks, ground, reason
    CLOCKS_RESUMED = "deadlines.clocks_resumed"  # on, clocks
    CLOCK_EXTENDED = "deadlines.clock_extended"  # on, clocks, quantity, approved_by, reason
    CLOCKS_STOPPED = "deadlines.clocks_stopped"  # on, clocks
    CLOCKS_RECOMPUTED = "deadlines.clocks_recomputed"  # notice, clocks, moved (how many of them end on another day)

    # departments
    WEBHOOK_REGISTERED = "departments.webhook_registered"  # client, url, addresses
    WEBHOOK_DECIDED = "departments.webhook_decided"  # decision, why
    WEBHOOK_REPLAYED = "departments.webhook_replayed"  # after

    # signing
    SEAL_REGISTERED = "signing.seal_registered"  # organ, serial
    SIGNATURE_REQUESTED = "signing.signature_requested"  # purpose, digest
    SIGNATURE_MADE = "signing.signature_made"  # purpose, serial, digest

    # files
    UPLOAD_STARTED = "files.upload_started"  # name, size
    UPLOAD_CONTINUED = "files.upload_continued"  # offset
    UPLOAD_FINISHED = "files.upload_finished"  # sha256, size
    FILE_PASSED = "files.file_passed"  # sha256
    FILE_QUARANTINED = "files.file_quarantined"  # malware, name, sha256
    FILE_REMOVED = "files.file_removed"  # name
    MASTER_KEY_SUCCEEDED = "files.master_key_succeeded"  # by (the new key's id)
    FILE_KEYS_REWRAPPED = "files.file_keys_rewrapped"  # files (how many)
    DATA_KEYS_REWRAPPED = "files.data_keys_rewrapped"  # data_keys (how many)
    MASTER_KEY_DESTROYED = "files.master_key_destroyed"  # –

    # workflow
    ROUTE_STARTED = "workflow.route_started"  # template, version
    TASK_OPENED = "workflow.task_opened"  # route, step, tasks (each with its official)
    TASK_DONE = "workflow.task_done"  # step, decision
    ROUTE_ENDED = "workflow.route_ended"  # nothing more; its subject was closed or given up
    ROUTE_RENAMED = "workflow.route_renamed"  # words (that lists show; no title of what is classified)
    TEMPLATE_PUBLISHED = "workflow.template_published"  # code, version

    # documents, outgoing
    DRAFTED = "documents.drafted"  # kind, title (none of what is classified)
    REVISED = "documents.revised"  # version
    SUBMITTED = "documents.submitted"  # version
    WITHDRAWN = "documents.withdrawn"  # –
    APPROVED = "documents.approved"  # step, opinion
    RETURNED = "documents.returned"  # step, reason
    SIGNED = "documents.signed"  # opinion, pages_sha256
    NUMBERED = "documents.numbered"  # doc_no
    FROZEN = "documents.frozen"  # sha256
    SEALED = "documents.sealed"  # sha256, seal
    DISPATCHED = "documents.dispatched"  # recipients
    ABANDONED = "documents.abandoned"  # –
    CLOSED = "documents.closed"  # –

    # documents, incoming
    SIGNED_FOR = "documents.signed_for"  # sha256
    REFUSED = "documents.refused"  # code
    REGISTERED = "documents.registered"  # receive_no
    PROPOSED = "documents.proposed"  # leader
    INSTRUCTED = "documents.instructed"  # opinion
    ASSIGNED = "documents.assigned"  # unit
    HANDLED = "documents.handled"  # opinion
    INCOMING_CLOSED = "documents.incoming_closed"  # result

    # proposals, sittings
    SITTING_OPENED = "proposals.sitting_opened"  # title
    SITTING_CHANGED = "proposals.sitting_changed"  # changed, before
    SITTING_LIMIT_SET = "proposals.sitting_limit_set"  # limit, before, after
    MEMBERS_KEPT = "proposals.members_kept"  # entered, changed
    MEMBER_REMOVED = "proposals.member_removed"  # code

    # proposals, sheets
    IMPORT_DONE = "proposals.import_done"  # file_sha256, difference, added, changed, members
    PROPOSAL_IMPORTED = "proposals.imported"  # case_no, row, batch
    PROPOSAL_IMPORTED_ANEW = "proposals.imported_anew"  # row, batch, columns
    UNIT_ALIASES_SET = "proposals.unit_aliases_set"  # aliases

    # proposals, cases
    PROPOSAL_DRAFTED = "proposals.drafted"  # title
    PROPOSAL_REVISED = "proposals.revised"  # –
    COSIGNERS_ASKED = "proposals.cosigners_asked"  # asked
    CONSENTED = "proposals.consented"  # –
    CONSENT_DECLINED = "proposals.consent_declined"  # –
    PAPER_CONSENT_RECORDED = "proposals.paper_consent_recorded"  # members
    PROPOSAL_SUBMITTED = "proposals.submitted"  # version, text_sha256
    PROPOSAL_DISCARDED = "proposals.discarded"  # –
    PROPOSAL_WITHDRAWN = "proposals.withdrawn"  # asked, waiting
    PROPOSAL_REGISTERED = "proposals.registered"  # case_no
    PROPOSAL_REVIEWED = "proposals.reviewed"  # level
    PROPOSAL_RETURNED = "proposals.returned"  # –
    PROPOSAL_FILED = "proposals.filed"  # –
    PROPOSAL_REJECTED = "proposals.rejected"  # code, forwarding
    PROPOSAL_CONVERTED = "proposals.converted"  # was, case_no
    PROPOSAL_MERGED = "proposals.merged"  # into
    PROPOSAL_UNMERGED = "proposals.unmerged"  # –
    PROPOSAL_DISPATCHED = "proposals.dispatched"  # handlers
    KEY_MARKED = "proposals.key_marked"  # leader
    PROPOSAL_SUSPENDED = "proposals.suspended"  # –
    PROPOSAL_RESUMED = "proposals.resumed"  # –
    FEEDBACK_ASKED = "proposals.feedback_asked"  # proposers
    CODE_HANDED_OVER = "proposals.code_handed_over"  # proposer
    PAPER_JUDGEMENT_ENTERED = "proposals.paper_judgement_entered"  # –
    JUDGED = "proposals.judged"  # how, contact, attitude, result
    FEEDBACK_EXPIRED = "proposals.feedback_expired"  # expired
    ROUND_BEGUN = "proposals.round_begun"  # round
    PROPOSAL_CONCLUDED = "proposals.concluded"  # after

    # proposals, what organs were given
    ASSIGNMENT_ACCEPTED = "proposals.assignment_accepted"  # –
    RETURN_ASKED = "proposals.return_asked"  # after
    REASSIGNED = "proposals.reassigned"  # organ, after
    RETURN_REFUSED = "proposals.return_refused"  # –
    ARBITRATED = "proposals.arbitrated"  # organ
    SUCCEEDED = "proposals.succeeded"  # was, organ
    COHANDLER_OPINED = "proposals.cohandler_opined"  # –
    CONTACT_RECORDED = "proposals.contact_recorded"  # form
    POINTS_SET = "proposals.points_set"  # points
    EXTENSION_ASKED = "proposals.extension_asked"  # months
    EXTENSION_GRANTED = "proposals.extension_granted"  # months
    EXTENSION_REFUSED = "proposals.extension_refused"  # –
    REPLY_PRESENTED = "proposals.reply_presented"  # document, result
    REPLY_PASSED = "proposals.reply_passed"  # –
    REPLY_SENT_BACK = "proposals.reply_sent_back"  # –
    POINT_REVIEWED = "proposals.point_reviewed"  # before, after

    # messaging
    MESSAGES_ANCHORED = "messaging.anchored"  # heads (of each conversation: number and digest of its newest message)


# Every act in the words of officials.
TITLES = {
    Verb.MESSAGES_ANCHORED: "固定消息摘要",
    Verb.HEAD_SIGNED: "签署审计树头",
    Verb.LIST_EXPORTED: "导出清单",
    Verb.RELEASE_REFUSED: "程序与发布时不一致，拒绝启动",
    Verb.BACKUP_MADE: "备份",
    Verb.BACKUP_RESTORED: "由备份恢复",
    Verb.DIRECTORY_IMPORTED: "导入组织机构",
    Verb.DIRECTORY_EXPORTED: "导出组织机构",
    Verb.ORGAN_KEPT: "维护机关",
    Verb.REMITS_KEPT: "维护机关的主要职责",
    Verb.UNIT_KEPT: "维护部门",
    Verb.OFFICIAL_KEPT: "维护人员",
    Verb.POST_KEPT: "维护岗位",
    Verb.ROLE_PROPOSED: "提出授予职责",
    Verb.ROLE_DECIDED: "复核授予职责",
    Verb.ROLE_TAKEN: "收回职责",
    Verb.DUTY_KEPT: "维护值班表",
    Verb.SIGNED_IN: "登录",
    Verb.SIGN_IN_REFUSED: "登录被拒绝",
    Verb.SESSION_ENDED: "登录结束",
    Verb.CLIENT_REGISTERED: "登记接入系统",
    Verb.CLIENT_DECIDED: "审批接入系统",
    Verb.CLIENT_ADMITTED: "系统接入",
    Verb.CLIENT_REFUSED: "系统接入被拒绝",
    Verb.SETTING_CHANGED: "变更设置",
    Verb.SETTING_DECIDED: "复核设置变更",
    Verb.SETTINGS_IMPORTED: "导入设置",
    Verb.CALENDAR_KEPT: "录入年度放假安排",
    Verb.OFFICE_HOURS_KEPT: "录入作息时间",
    Verb.LOCAL_HOLIDAY_KEPT: "登记地方假日",
    Verb.CLOCKS_STARTED: "时限开始计时",
    Verb.CLOCKS_PAUSED: "时限暂停计时",
    Verb.CLOCKS_RESUMED: "时限恢复计时",
    Verb.CLOCK_EXTENDED: "延长时限",
    Verb.CLOCKS_STOPPED: "时限停止计时",
    Verb.CLOCKS_RECOMPUTED: "按新日历重新推算时限",
    Verb.AUTHORITY_CREATED: "建立证书机构",
    Verb.ENROLMENT_OPENED: "发给管理员登记码",
    Verb.ENROLMENT_FINISHED: "管理员登记完成",
    Verb.DEVICE_REGISTERED: "登记介质",
    Verb.DEVICE_KEPT: "介质台账",
    Verb.CERTIFICATE_REQUESTED: "申请证书",
    Verb.CERTIFICATE_APPROVED: "批准证书申请",
    Verb.CERTIFICATE_REFUSED: "驳回证书申请",
    Verb.CERTIFICATE_ISSUED: "签发证书",
    Verb.CERTIFICATE_INSTALLED: "写入证书",
    Verb.CERTIFICATE_SUSPENDED: "暂停证书",
    Verb.CERTIFICATE_RESUMED: "恢复证书",
    Verb.CERTIFICATE_REVOKED: "吊销证书",
    Verb.CRL_ISSUED: "发布吊销列表",
    Verb.WEBHOOK_REGISTERED: "登记推送地址",
    Verb.WEBHOOK_DECIDED: "审批推送地址",
    Verb.WEBHOOK_REPLAYED: "重发事件",
    Verb.SEAL_REGISTERED: "登记印章",
    Verb.SIGNATURE_REQUESTED: "请求签名",
    Verb.SIGNATURE_MADE: "签名",
    Verb.UPLOAD_STARTED: "开始上传附件",
    Verb.UPLOAD_CONTINUED: "续传附件",
    Verb.UPLOAD_FINISHED: "附件上传完成",
    Verb.FILE_PASSED: "附件通过病毒检查",
    Verb.FILE_QUARANTINED: "隔离含恶意代码的附件",
    Verb.FILE_REMOVED: "删除附件",
    Verb.MASTER_KEY_SUCCEEDED: "启用新主密钥",
    Verb.FILE_KEYS_REWRAPPED: "用新主密钥重新加密附件密钥",
    Verb.DATA_KEYS_REWRAPPED: "用新主密钥重新加密数据密钥",
    Verb.MASTER_KEY_DESTROYED: "销毁旧主密钥",
    Verb.ROUTE_STARTED: "流程开始",
    Verb.TASK_OPENED: "产生待办",
    Verb.TASK_DONE: "办结待办",
    Verb.ROUTE_ENDED: "流程结束",
    Verb.ROUTE_RENAMED: "流程改名",
    Verb.TEMPLATE_PUBLISHED: "发布流程模板",
    Verb.REVISED: "修改",
    Verb.DRAFTED: "起草",
    Verb.SUBMITTED: "送审",
    Verb.WITHDRAWN: "撤回",
    Verb.APPROVED: "审核同意",
    Verb.RETURNED: "退回",
    Verb.SIGNED: "签发",
    Verb.NUMBERED: "编号",
    Verb.FROZEN: "定版",
    Verb.SEALED: "用印",
    Verb.DISPATCHED: "分发",
    Verb.ABANDONED: "作废",
    Verb.CLOSED: "办结",
    Verb.SIGNED_FOR: "签收",
    Verb.REFUSED: "拒收",
    Verb.REGISTERED: "登记",
    Verb.PROPOSED: "拟办",
    Verb.INSTRUCTED: "批示",
    Verb.ASSIGNED: "分办",
    Verb.HANDLED: "承办",
    Verb.INCOMING_CLOSED: "办结",
    Verb.SITTING_OPENED: "设立届次",
    Verb.SITTING_CHANGED: "修改届次",
    Verb.SITTING_LIMIT_SET: "修改届次时限",
    Verb.MEMBERS_KEPT: "登记代表、委员",
    Verb.MEMBER_REMOVED: "移出代表、委员",
    Verb.IMPORT_DONE: "导入建议提案",
    Verb.PROPOSAL_IMPORTED: "由表格导入",
    Verb.PROPOSAL_IMPORTED_ANEW: "由表格更新",
    Verb.UNIT_ALIASES_SET: "确定单位别名",
    Verb.PROPOSAL_DRAFTED: "起草",
    Verb.PROPOSAL_REVISED: "修改文本",
    Verb.COSIGNERS_ASKED: "征集附议",
    Verb.CONSENTED: "附议",
    Verb.CONSENT_DECLINED: "谢绝附议",
    Verb.PAPER_CONSENT_RECORDED: "代录书面签名",
    Verb.PROPOSAL_SUBMITTED: "提交",
    Verb.PROPOSAL_DISCARDED: "放弃",
    Verb.PROPOSAL_WITHDRAWN: "申请撤案",
    Verb.PROPOSAL_REGISTERED: "登记编号",
    Verb.PROPOSAL_REVIEWED: "审查",
    Verb.PROPOSAL_RETURNED: "退回修改",
    Verb.PROPOSAL_FILED: "立案",
    Verb.PROPOSAL_REJECTED: "不予立案",
    Verb.PROPOSAL_CONVERTED: "转为建议",
    Verb.PROPOSAL_MERGED: "并案",
    Verb.PROPOSAL_UNMERGED: "撤销并案",
    Verb.PROPOSAL_DISPATCHED: "交办",
    Verb.KEY_MARKED: "列为重点",
    Verb.PROPOSAL_SUSPENDED: "中止办理",
    Verb.PROPOSAL_RESUMED: "恢复办理",
    Verb.FEEDBACK_ASKED: "征求评价",
    Verb.CODE_HANDED_OVER: "交付评价码",
    Verb.PAPER_JUDGEMENT_ENTERED: "代录书面评价",
    Verb.JUDGED: "评价",
    Verb.FEEDBACK_EXPIRED: "评价逾期",
    Verb.ROUND_BEGUN: "交回重新办理",
    Verb.PROPOSAL_CONCLUDED: "办理结束",
    Verb.ASSIGNMENT_ACCEPTED: "签收承办",
    Verb.RETURN_ASKED: "申请退办",
    Verb.REASSIGNED: "同意退办，改办",
    Verb.RETURN_REFUSED: "不予退办",
    Verb.ARBITRATED: "裁定承办单位",
    Verb.SUCCEEDED: "由承接单位接办",
    Verb.COHANDLER_OPINED: "提出协办意见",
    Verb.CONTACT_RECORDED: "记录面商",
    Verb.POINTS_SET: "列明建议点",
    Verb.EXTENSION_ASKED: "申请延期",
    Verb.EXTENSION_GRANTED: "同意延期",
    Verb.EXTENSION_REFUSED: "不同意延期",
    Verb.REPLY_PRESENTED: "提交答复",
    Verb.REPLY_PASSED: "答复审核通过",
    Verb.REPLY_SENT_BACK: "答复退回重办",
    Verb.POINT_REVIEWED: "跟踪建议点",
}

# Those that a document's history shows; the rest concerns administrators and machines.
OF_A_DOCUMENT = frozenset(verb for verb in Verb if verb.startswith("documents.") and verb is not Verb.REVISED)

# Those that a proposal's history shows, with what became of it at each organ.
OF_A_PROPOSAL = frozenset(verb for verb in Verb if verb.startswith("proposals."))

# What somebody tried and was not let do, or what was turned down.
TURNED_DOWN = frozenset({Verb.SIGN_IN_REFUSED, Verb.CLIENT_REFUSED, Verb.CERTIFICATE_REFUSED, Verb.REFUSED})

# The parts of the house that acts belong to, as the log's readers choose among them.
AREAS = {
    "identity": "登录与组织机构",
    "installation": "系统设置",
    "pki": "证书与介质",
    "signing": "签名与印章",
    "files": "附件",
    "workflow": "流程",
    "documents": "公文",
    "proposals": "建议提案",
    "deadlines": "工作日历与期限",
    "messaging": "即时通讯",
    "departments": "部门接口",
    "audit": "审计",
    "exports": "清单导出",
    "backup": "备份与恢复",
}
