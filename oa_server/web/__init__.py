"""All that knows Starlette, except the domains' `routes.py`: endpoints, the guard, problems, live updates, the API description."""
