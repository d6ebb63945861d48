"""Ten thousand replies to a thousand chats: `python -m tests.bench.replies`.

Under each platform's limits and on a simulated clock, with the real parts from the end
of a message to the platform's port. The stand-in keeps the platform's limits strictly,
is 20 to 300 ms away, and answers one call in a hundred by asking to wait, for no fault
of ours. The ceiling is what the platform allows the whole bot, all the time. What is
missing to it is the price of no avoidable refusal (a call counts until its answer is
there), and penalties of the whole bot, which no caller can help.
"""

import sys
import time
from dataclasses import replace

import looptime

from sympozium.chat.capabilities import Capabilities
from sympozium_discord.capabilities import CAPABILITIES as DISCORD
from sympozium_slack.capabilities import CAPABILITIES as SLACK
from sympozium_telegram.capabilities import CAPABILITIES as TELEGRAM
from tests.chat.simulation import Figures, Simulation, Weather

CHATS, REPLIES, SEED = 1000, 10_000, 1
WEATHERS = {"calm": Weather(busy_share=0.0), "1 % busy": Weather()}

HEADER = (
    f"{'':22}{'shown':>7}{'lost':>6}{'twice':>7}{'calls':>7}{'minutes':>9}{'of ceiling':>12}"
    f"{'injected':>10}{'avoidable':>11}{'in penalty':>12}{'cpu ms/reply':>14}"
)


def measured(capabilities: Capabilities, weather: Weather) -> tuple[Figures, float]:
    """Return what came of it, and the processor's time for one reply."""
    loop = looptime.new_event_loop(start=0, noop_cycles=2)
    simulation = Simulation(replace(capabilities, can_mark=False), weather, SEED)
    began = time.process_time()
    figures = loop.run_until_complete(simulation.run(chats=CHATS, replies=REPLIES))
    loop.close()
    return figures, (time.process_time() - began) / REPLIES * 1000


def line(name: str, figures: Figures, cpu_ms: float) -> str:
    """Return one row of the table."""
    return (
        f"{name:22}{figures.replies:>7}{figures.lost:>6}{figures.doubled:>7}{figures.calls:>7}"
        f"{figures.took_s / 60:>9.1f}{figures.share:>12.0%}{figures.injected:>10}"
        f"{figures.avoidable:>11}{figures.in_penalty:>12}{cpu_ms:>14.2f}"
    )


def main() -> None:
    """Print a row for each platform and weather."""
    chosen = sys.argv[1:]
    print(HEADER)
    for capabilities in (SLACK, TELEGRAM, DISCORD):
        if chosen and capabilities.platform not in chosen:
            continue
        for name, weather in WEATHERS.items():
            print(line(f"{capabilities.platform}, {name}", *measured(capabilities, weather)))


if __name__ == "__main__":
    main()
