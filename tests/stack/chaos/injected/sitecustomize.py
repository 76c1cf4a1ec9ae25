"""Python imports this by itself in every process that the chaos tests start: it alone knows that a fault is wanted."""

import chaos_injection

chaos_injection.install()
