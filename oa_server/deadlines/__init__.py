"""期限 deadlines: which days are worked, and when a term ends.

Owns: the working-day calendar, as the State Council's notices and local holidays make it, in versions that stay.
Calls: identity (organs with holidays of their own, names), audit (through the unit of work).
Announces: nothing yet; whoever reckons a term asks for the calendar.

Vocabulary: 年度安排 = notice of a year, 休 = day off, 班 = make-up day (a weekend that is worked), 地方假日 = local holiday,
起算日 = day 0, 期限 = term, 届满日 = due day, 顺延 = move on, 中止 = pause, 暂定 = provisional.
"""
