"""流程 workflow: who has to do something about what, in which order.

Owns: route templates (versioned trees of blocks), running routes, and their tasks — everybody's to-do list.
Calls: identity (who holds a role).
Announces: nothing; the subject's domain moves its own state in the same unit of work.

Vocabulary: 流程模板 = template, 环节 = step, 待办 = task, 退回 = return.

`engine.py` is pure: a route's state is the set of steps that are done, and what must be open follows from it.
"""
