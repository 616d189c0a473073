"""系统设置 installation: what an installation decides about itself while it runs.

Owns: settings that were changed in place, with who, when and why; the file's value is in force until then.
Calls: identity (who decided; how sheets are read and differences shown), audit (through the unit of work).
Announces: nothing; whoever goes by a setting asks `SettingsInForce` each time.

Vocabulary: 设置 = setting, 生效 = in force, 复核 = confirm.
"""
