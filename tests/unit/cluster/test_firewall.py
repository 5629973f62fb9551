"""Our iptables chains: made whole, found again, taken away without a trace."""

from fairway.cluster import firewall, plan

PLAN = plan.choose("one", "local", [])
OTHER = plan.choose("two", "local", [])
SAVED = """*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
COMMIT
*nat
:POSTROUTING ACCEPT [0:0]
COMMIT
"""


def applied(text: str) -> dict[str, list[str]]:
    """What is saved after our chains were restored and jumped to."""
    saved = firewall.parse(text)
    for table, lines in firewall.parse(firewall.restore(PLAN)).items():
        saved.setdefault(table, []).extend(line.replace(" [0:0]", "") for line in lines)
    for _, table, _, parent, _, _, chain in firewall.jumps(PLAN, saved):
        saved[table].insert(0, f"-A {parent} -j {chain}")
    return saved


def test_a_machine_without_our_rules_needs_all_of_them() -> None:
    saved = firewall.parse(SAVED)
    assert not firewall.is_whole(PLAN, saved)
    assert [(one[1], one[3]) for one in firewall.jumps(PLAN, saved)] == [
        ("filter", "FORWARD"),
        ("filter", "INPUT"),
        ("nat", "POSTROUTING"),
    ]


def test_once_applied_nothing_is_missing() -> None:
    saved = applied(SAVED)
    assert firewall.is_whole(PLAN, saved)
    assert firewall.jumps(PLAN, saved) == []
    assert not firewall.is_whole(OTHER, saved)


def test_a_rule_that_somebody_removed_is_missed() -> None:
    saved = applied(SAVED)
    ours = next(line for line in saved["filter"] if line.startswith(f"-A {PLAN.chain} "))
    saved["filter"].remove(ours)
    assert not firewall.is_whole(PLAN, saved)


def test_removal_takes_our_chains_and_jumps_and_nothing_else() -> None:
    commands = firewall.removal(PLAN, applied(SAVED))
    assert len(commands) == 3 * 3
    assert all(any(PLAN.chain in word for word in command) for command in commands)
    assert firewall.removal(PLAN, firewall.parse(SAVED)) == []
    assert firewall.removal(OTHER, applied(SAVED)) == []


def test_jumps_go_before_the_chains_that_they_lead_to() -> None:
    commands = firewall.removal(PLAN, applied(SAVED))
    for chain in firewall.chains(PLAN):
        order = [command[2] for command in commands if chain.name in command]
        assert order == ["-D", "-F", "-X"]


def test_one_clusters_pods_do_not_reach_another_clusters() -> None:
    rules = firewall.chains(PLAN)[0].rules
    last = rules[-1]
    assert last == f"-o {PLAN.bridge} -j DROP"
    assert not [rule for rule in rules if rule.startswith("-i fwk+") and "ACCEPT" in rule]
