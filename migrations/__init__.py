"""One straight line of migrations for the whole house; `oa migrate` applies them."""
