"""How many examples each reader is shown: few in `make test`, ten thousand in `make fuzz`."""

import os

import hypothesis

hypothesis.settings.register_profile(
    "fuzz",
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "150")),
    deadline=None,
    database=None,
    # The short form shows the same examples each time; the long one shows others.
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=list(hypothesis.HealthCheck),
)
hypothesis.settings.load_profile("fuzz")
