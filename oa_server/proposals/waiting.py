"""What waits for somebody, by what they do in a sitting: each a list that they open, whose length is the number on their desk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from oa_server.core.actor import Actor, Role
from oa_server.proposals.models import Feedback, Proposer
from oa_server.proposals.states import (
    AssignmentRole,
    AssignmentState,
    AssignmentWait,
    CaseWait,
    Consent,
    FeedbackState,
    ProposalState,
)
from oa_server.storage.fields import Q, Subquery


@dataclass(frozen=True, slots=True)
class Lane:
    """Which rows wait, and for whom: those with one of these roles, or whoever it may be."""

    rows: Callable[[Actor], Q]
    roles: tuple[Role, ...] = ()

    def is_of(self, actor: Actor) -> bool:
        """Whether this can wait for the actor at all."""
        return not self.roles or any(actor.has(role) for role in self.roles)


def _asked(actor: Actor) -> Subquery:
    rows = Proposer.filter(consent=Consent.ASKED, member__official_id=actor.official_id)
    return Subquery(rows.values("proposal_id"))


def _to_judge(actor: Actor) -> Subquery:
    rows = Feedback.filter(state=FeedbackState.REQUESTED, proposer__member__official_id=actor.official_id)
    return Subquery(rows.values("proposal_id"))


_OVER = (ProposalState.CLOSED, ProposalState.REJECTED, ProposalState.MERGED, ProposalState.WITHDRAWN)

CASES: dict[CaseWait, Lane] = {
    CaseWait.CONSENT: Lane(lambda a: Q(state=ProposalState.COSIGNING, id__in=_asked(a))),
    CaseWait.JUDGE: Lane(lambda a: Q(state=ProposalState.REPLIED, id__in=_to_judge(a))),
    CaseWait.LED: Lane(lambda a: Q(key_leader_id=a.official_id) & ~Q(state__in=_OVER), (Role.LEADER,)),
    CaseWait.REGISTER: Lane(
        lambda a: Q(state=ProposalState.SUBMITTED, sitting__secretariat_id=a.organ_id), (Role.CLERK,)
    ),
    CaseWait.REVIEW: Lane(
        lambda a: Q(state=ProposalState.REGISTERED, sitting__secretariat_id=a.organ_id), (Role.OFFICE_REVIEWER,)
    ),
    CaseWait.FILE: Lane(
        lambda a: Q(state=ProposalState.UNDER_REVIEW, sitting__secretariat_id=a.organ_id),
        (Role.OFFICE_REVIEWER, Role.LEADER),
    ),
    CaseWait.DISPATCH: Lane(lambda a: Q(state=ProposalState.FILED, sitting__dispatching_id=a.organ_id), (Role.CLERK,)),
}

ASSIGNMENTS: dict[AssignmentWait, Lane] = {
    AssignmentWait.RECEIVE: Lane(lambda a: Q(state=AssignmentState.PENDING, organ_id=a.organ_id), (Role.CLERK,)),
    AssignmentWait.ANSWER: Lane(
        lambda a: Q(
            state=AssignmentState.HANDLING,
            organ_id=a.organ_id,
            role__in=[role for role in AssignmentRole if role.answers],
        ),
        (Role.CLERK,),
    ),
    AssignmentWait.OPINION: Lane(
        lambda a: Q(state=AssignmentState.HANDLING, organ_id=a.organ_id, role=AssignmentRole.COHANDLER),
        (Role.LEADER,),
    ),
    AssignmentWait.RETURNED: Lane(
        lambda a: Q(state=AssignmentState.RETURN_REQUESTED, proposal__sitting__dispatching_id=a.organ_id),
        (Role.CLERK,),
    ),
    AssignmentWait.ARBITRATE: Lane(
        lambda a: Q(state=AssignmentState.ARBITRATION, proposal__sitting__dispatching_id=a.organ_id), (Role.LEADER,)
    ),
    AssignmentWait.EXTEND: Lane(
        lambda a: Q(
            state=AssignmentState.HANDLING,
            extension_months__not_isnull=True,
            proposal__sitting__dispatching_id=a.organ_id,
        ),
        (Role.CLERK,),
    ),
    AssignmentWait.CHECK: Lane(
        lambda a: Q(state=AssignmentState.REPLY_READY, proposal__sitting__oversight_id=a.organ_id),
        (Role.OFFICE_REVIEWER,),
    ),
}
