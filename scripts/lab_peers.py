"""Puts Python's Redis clients through the lab, and writes docs/lab-peers.md: `make lab-peers`.

lab_peers.py measure SEAWALL OUT.json   runs everything, and what the lab was late in once more
lab_peers.py page OUT.json              writes the page
"""

import datetime
import json
import pathlib
import platform
import statistics
import subprocess
import sys

FACES = ["python", "asyncio"]
PEERS = ["redis-py", "redis-py-rec", "redis-py-async", "pybreaker", "glide", "glide-async", "coredis"]
#: A machine that is too busy harms whoever runs just then: where the lab itself was later than this, in milliseconds, the run is
#: repeated, so many times at most, and the one in which it was least late counts.
LATE_MS = 50
REPEATS = 3

ABOUT = {
    "python": "`seawall.Redis`, threads",
    "asyncio": "`seawall.asyncio.Redis`, tasks",
    "redis-py": "as it comes, threads",
    "redis-py-rec": "as its documentation recommends, threads",
    "redis-py-async": "as it comes, blocking pool, tasks",
    "pybreaker": "redis-py-rec behind a breaker, threads",
    "glide": "Valkey GLIDE, threads",
    "glide-async": "Valkey GLIDE, tasks",
    "coredis": "with timeouts, tasks",
}

HEAD = """# Python clients in the lab

Each client below was put through every scenario of `seawall lab`: a real server that is killed, frozen, cut off, or refuses, under
2,000 calls a second with a deadline of one second each (in some scenarios fewer; `seawall lab list`). What a call did is read from
the server afterwards, not from the client. [How it is judged](contenders.md#how-it-is-judged), [how each client is
used](contenders.md#clients-that-need-no-command).

```console
$ make lab-peers     # installs the clients into .venv, takes about {minutes} minutes, writes this page
```

{date}; {server}; {cores} cores; Python {python}; the versions stand in the first table. One seed, two runs at a time, on one machine,
which had other work to do; where the lab itself was late with a call by more than 50 ms the run was repeated, three times at
most, and the one in which it was least late counts. Numbers of calls vary by a few in a hundred from run to run, and latencies
by more. Seawall's own two faces stand first; what they fall short of would stand here as well.

## All scenarios together

*held*: nothing fell short, of the scenarios that the client can take part in. *doubled*: commands that ran more often than was
reported. *lost*: acknowledged, and not there; messages of subscriptions that were missed without a word. *mixed*: replies that
belong to another call. *hung*: calls that had not ended half a second after their deadline: redis-py as it comes waits for 5 s, and
who has no worker free hangs as well. *worst*: the longest that a call took to end, as far as it did. *back*: from the server's
return to the first good answer, at the median over all returns and at worst.
"""


def milliseconds(value):
    if value is None:
        return "-"
    return f"{value / 1000:.2f} s" if value >= 1000 else f"{round(value)} ms"


def table(rows):
    head, *rest = rows
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rest]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def share_of(run):
    """What is said of one run in a cell of the second table."""
    score = run["score"]
    if run["verdict"] == "left-out":
        return "·"
    if score is None:
        return "did not run"
    said = [f"{score['answered_percent']:.1f}" if score["possible"] else "-"]
    names = {"doubled": "doubled", "lost": "lost", "mismatched": "mixed", "hung": "hung"}
    said += [f"{score[key]} {name}" for key, name in names.items() if score[key]]
    if run["verdict"] == "short" and len(said) == 1 and (not score["possible"] or score["answered_percent"] >= 99.5):
        said.append(run["shortfalls"][0] if len(run["shortfalls"][0]) < 40 else "short")
    return ", ".join(said)


def lab(seawall, *words):
    """What the lab says, as JSON. 1: something fell short, which is what is to be told."""
    run = subprocess.run([seawall, "lab", "run", *words, "--json"], stdout=subprocess.PIPE, check=False)
    if run.returncode not in (0, 1) and not run.stdout.strip():
        sys.exit(run.returncode)
    return json.loads(run.stdout)


def late_ms(run):
    return run["score"]["lab_late_ms"] if run["score"] else 0


def measure(seawall, out):
    path = pathlib.Path(out)
    report = lab(seawall, "--parallel", "2", "--face", *FACES, "--against", *PEERS)
    repeat(seawall, report)
    path.write_text(json.dumps(report))


def repeat(seawall, report):
    for _ in range(REPEATS):
        for place, run in enumerate(report["runs"]):
            if late_ms(run) > LATE_MS:
                again = once_more(seawall, run)
                if late_ms(again) < late_ms(run):
                    report["runs"][place] = again


def once_more(seawall, run):
    name, scenario = run["contender"], run["scenario"]
    if name in FACES:
        return lab(seawall, scenario, "--parallel", "1", "--face", name)["runs"][0]
    # Some face must stand beside it; the first is the quickest.
    return lab(seawall, scenario, "--parallel", "1", "--face", FACES[0], "--against", name)["runs"][1]


def totals(report):
    """Sums over the runs that count."""
    for contender in report["contenders"]:
        runs = [run for run in report["runs"] if run["contender"] == contender["name"] and run["verdict"] != "left-out"]
        scores = [run["score"] for run in runs if run["score"]]
        contender["scenarios"] = len(runs)
        contender["scenarios_held"] = sum(run["verdict"] == "ok" for run in runs)
        for key in ("doubled", "lost", "mismatched", "hung"):
            contender[key] = sum(score[key] for score in scores)


def page(path):
    report = json.loads(pathlib.Path(path).read_text())
    runs = {}
    for run in report["runs"]:
        runs.setdefault(run["contender"], {})[run["scenario"]] = run
    totals(report)
    contenders = report["contenders"]
    names = [contender["name"] for contender in contenders]
    scenarios = list(dict.fromkeys(run["scenario"] for run in report["runs"]))
    stories = {run["scenario"]: run["story"] for run in report["runs"]}

    total = [["client", "used", "held", "doubled", "lost", "mixed", "hung", "worst", "back"]]
    for contender in contenders:
        name = contender["name"]
        scores = [run["score"] for run in runs[name].values() if run["score"]]
        back = [ms for score in scores for ms in score["first_good_ms"]]
        told = f"{milliseconds(statistics.median(back))}, {milliseconds(max(back))}" if back else "-"
        total.append(
            [
                f"{name} {contender['version']}",
                ABOUT.get(name, ""),
                f"{contender['scenarios_held']} of {contender['scenarios']}",
                *(str(contender[key]) for key in ("doubled", "lost", "mismatched", "hung")),
                milliseconds(max(score["latency_worst_ms"] for score in scores)),
                told,
            ]
        )

    each = [["scenario", *names]]
    late = []
    for scenario in scenarios:
        each.append([scenario, *(share_of(runs[name][scenario]) for name in names)])
        for name in names:
            score = runs[name][scenario]["score"]
            if score and score["lab_late_ms"] > LATE_MS:
                late.append(f"{scenario} with {name} ({milliseconds(score['lab_late_ms'])})")

    parts = [
        HEAD.format(
            minutes=max(1, round(report["took_ms"] / 60000)),
            date=f"{datetime.date.today():%d %B %Y}".lstrip("0"),
            server=report["server"].split(" (")[0],
            cores=report["cores"],
            python=platform.python_version(),
        ),
        table(total),
        "\n## Answered, scenario by scenario\n\n"
        "Calls answered in time, of those that could be, in percent (a write also by the honest word that it may have run), and "
        "the harm that was done.\n`·`: the client cannot take part. `-`: nothing could be answered. `short`: something else "
        "than answers fell short, such as the cause\nthat was named. `did not run`: GLIDE's asyncio client is not made while "
        "the name service is silent, and making it cannot be given up.\n",
        table(each),
        "\n" + "\n".join(f"- **{scenario}**: {stories[scenario]}" for scenario in scenarios),
    ]
    if "note" in report:
        parts.append(f"\n{report['note']}")
    if late:
        parts.append(f"\nThe lab was late by more than 50 ms in {', '.join(late)}.")
    pathlib.Path("docs/lab-peers.md").write_text("\n".join(parts) + "\n")


if __name__ == "__main__":
    {"measure": measure, "page": page}[sys.argv[1]](*sys.argv[2:])
