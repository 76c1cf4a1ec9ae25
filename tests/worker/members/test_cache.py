"""Members that stay, members that are evicted, and canaries, on a real database. EMT stands for members of any size."""

from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import Engine, select, text

from api.members import fleet
from services.forces.potential import Evaluation
from shared.database.repositories.workers import beat
from shared.database.session import Sessions, sessions
from shared.database.tables import MemberDevice, RegisteredMember
from shared.errors import DeviceFault, MachineryFailure, Misconfigured
from shared.settings import Settings
from worker.members import canary, device_records, devices, registration
from worker.members.cache import MemberCache
from worker.members.device_records import DeviceRecord
from worker.potentials import registry
from worker.potentials.entry import Limits

EMT = registry.shipped()["emt"]


@pytest.fixture
def opened(engine: Engine) -> Sessions:
    return sessions(engine)


def settings(**values) -> Settings:
    return Settings(database_url="postgresql://nowhere", broker_url="redis://nowhere", **values)


def hosting(opened: Sessions, *names: str, gib: float | None = 2.0, **values) -> MemberCache:
    """A cache with an EMT under each of these names, which says it takes 2 GiB."""
    entries = [replace(EMT, name=name, limits=Limits(memory_gib=gib)) for name in names]
    return MemberCache(entries, devices.CPU, opened, settings(min_free_gib=0, **values), {})


def states(cache: MemberCache) -> dict[str, str]:
    return {one["member"]: one["state"] for one in cache.report()}


def test_a_member_is_loaded_when_first_needed_and_once(opened):
    cache = hosting(opened, "a", "b")
    assert states(cache) == {"a": "absent", "b": "absent"}
    potential = cache.get("a")
    assert cache.get("a") is potential
    assert states(cache) == {"a": "resident", "b": "absent"}
    cache.used("a", 17, None)
    reported = cache.report()[0]
    assert (reported["loads"], reported["hits"], reported["evaluations"]) == (1, 1, 17)
    assert 0 < reported["load_s"] < 60
    assert reported["memory_bytes"] >= 0
    with opened() as session:
        row = session.get_one(RegisteredMember, "a")
        assert (row.version, row.family) == (potential.card.version, "EMT")


def test_those_used_longest_ago_are_evicted_when_memory_runs_short(opened):
    cache = hosting(opened, "a", "b", "c", members_memory_gib=4.5)
    for name in ("a", "b"):
        assert cache.make_room(name, busy=()) == []
        cache.get(name)
    cache.get("a")
    assert cache.make_room("c", busy=()) == ["b"]
    cache.get("c")
    assert states(cache) == {"a": "resident", "b": "absent", "c": "resident"}
    assert cache.make_room("b", busy={"a"}) == ["c"]


def test_a_member_with_work_in_flight_is_never_evicted(opened):
    cache = hosting(opened, "a", "b", members_memory_gib=3)
    cache.get("a")
    with pytest.raises(MachineryFailure, match=r"b takes 2\.0 GiB, and on CPU 1\.0 GiB too little is free"):
        cache.make_room("b", busy={"a"})
    assert states(cache) == {"a": "resident", "b": "unfit"}
    assert cache.make_room("b", busy=()) == ["a"]
    cache.get("b")
    assert states(cache) == {"a": "absent", "b": "resident"}


def test_no_more_are_evicted_than_needed(opened, monkeypatch):
    """Memory of those evicted is counted as free at once: whoever still refers to them lets go only afterwards."""
    free = devices.GIB
    monkeypatch.setattr(devices, "free_memory", lambda: free)
    cache = hosting(opened, "a", "b", "c")
    free = 100 * devices.GIB
    for name in ("a", "b"):
        cache.get(name)
    free = devices.GIB
    assert cache.make_room("c", busy=()) == ["a"]


def test_a_device_that_others_fill_is_not_ready_and_says_so(opened, monkeypatch):
    cache = MemberCache([EMT], devices.CPU, opened, settings(min_free_gib=4), {})
    assert cache.absence() == ""
    monkeypatch.setattr(devices, "free_memory", lambda: devices.GIB)
    assert "CPU: 3.0 GiB less than 4 GiB is free" in cache.absence()


def test_what_cannot_be_hosted_is_reported_with_the_reason(opened, tmp_path):
    file = tmp_path / "members.toml"
    file.write_text(
        f'[[member]]\nname = "ours"\nfamily = "mace"\npath = "ours.model"\nsha256 = "{"0" * 64}"\n'
        'energy_kind = "total"\nelements = ["H", "Cu"]\n'
    )
    cache = MemberCache.of(settings(members="emt,nobody,ours", models_file=file), opened)
    assert cache.hosted == ("emt",)
    reasons = {one["member"]: one["reason"] for one in cache.report()}
    assert "no member is called 'nobody'" in reasons["nobody"]
    assert "ours.model isn't there" in reasons["ours"]
    assert cache.absence() == ""
    with opened() as session:  # jobs may name it all the same, and wait for a worker that can
        known = fleet.known_members(session)
        assert known["ours"].elements == {1, 29}
        assert session.get_one(RegisteredMember, "ours").cutoff is None


def test_a_broken_file_of_members_keeps_the_process_up_and_says_so(opened, tmp_path):
    (tmp_path / "members.toml").write_text("[[member")
    cache = MemberCache.of(settings(members="emt", models_file=tmp_path / "members.toml"), opened)
    assert cache.hosted == ()
    assert "is not TOML" in cache.absence()


def test_without_its_device_a_worker_hosts_nothing_and_says_so(opened, monkeypatch):
    monkeypatch.setattr(devices, "cuda_devices", list)
    cache = MemberCache.of(settings(members="emt", device="cuda"), opened)
    assert cache.hosted == ()
    assert "the driver reports none" in cache.absence()


def test_registering_all_forgets_nothing_that_was_learned(opened):
    cache = hosting(opened, "emt")
    registration.register_all(registry.read(None), opened)
    with opened() as session:
        assert session.get_one(RegisteredMember, "emt").cutoff is None
    cache.get("emt")
    registration.register_all(registry.read(None), opened)
    with opened() as session:
        assert session.get_one(RegisteredMember, "emt").cutoff == pytest.approx(5.876, abs=1e-3)


def test_a_member_that_cannot_be_loaded_is_not_tried_again_at_once(opened, monkeypatch):
    cache = hosting(opened, "a")
    tries = []

    def broken(entry, *, device):
        tries.append(entry.name)
        raise OSError("the file is gone")

    monkeypatch.setattr(registry, "load", broken)
    for _ in range(2):
        with pytest.raises(MachineryFailure, match="the file is gone"):
            cache.get("a")
    assert tries == ["a"]
    assert states(cache) == {"a": "unfit"}
    assert "the file is gone" in cache.absence()


@pytest.mark.parametrize("wrong", ["energy", "forces", "nan"])
def test_a_device_that_miscomputes_is_caught_by_the_canary(opened, monkeypatch, wrong):
    hosting(opened, "a").get("a")
    honest = registry.load(EMT)

    class Broken:
        card = replace(honest.card, name="a")

        def evaluate(self, structures):
            (answer,) = honest.evaluate(structures)
            if wrong == "nan":
                return [Evaluation(float("nan"), answer.forces)]
            forces = answer.forces + (wrong == "forces") * np.eye(len(answer.forces), 3) * 0.03
            return [Evaluation(answer.energy + (wrong == "energy") * 3e-3, forces)]

    monkeypatch.setattr(registry, "load", lambda entry, *, device: Broken())
    fresh = hosting(opened, "a")
    with pytest.raises(MachineryFailure, match="canary"):
        fresh.get("a")
    assert states(fresh) == {"a": "unfit"}


def test_the_first_answer_on_a_device_must_be_that_of_the_others(opened):
    emt = registry.load(EMT)
    answer = canary.check(emt, [], "GPU-1")
    known = [DeviceRecord("GPU-1", 1.0, 0, answer.energy, answer.forces)]
    canary.check(emt, known, "GPU-2")
    elsewhere = [replace(known[0], energy=answer.energy + 0.01)]
    with pytest.raises(MachineryFailure, match=r"on GPU-2 answers its canary 0\.01 eV and 0 eV/Å away .* on GPU-1"):
        canary.check(emt, elsewhere, "GPU-2")


def test_a_first_answer_that_does_not_repeat_itself_is_no_answer():
    emt = registry.load(EMT)

    class Restless:
        card = emt.card
        drift = 0.0

        def evaluate(self, structures):
            self.drift += 0.1
            return [Evaluation(one.energy + self.drift, one.forces) for one in emt.evaluate(structures)]

    with pytest.raises(MachineryFailure, match="canary"):
        canary.check(Restless(), [], "cpu")


@pytest.mark.parametrize("elements", [{1}, {26}, {1, 6, 7, 8, 78}, {3, 92}])
def test_the_canary_is_made_of_elements_that_the_member_knows(elements):
    made = canary.structure(frozenset(elements))
    assert set(made.numbers.tolist()) <= elements
    assert (made.adsorbate.sum(), made.surface.sum()) == (1, 4)


def test_batches_learned_on_a_device_outlive_the_process_and_are_forgotten_after_a_week(opened):
    first = hosting(opened, "a")
    first.get("a")
    assert first.batch_atoms("a") is None
    first.used("a", 3, 120)
    second = hosting(opened, "a")
    second.get("a")
    assert second.batch_atoms("a") == 120
    with opened.begin() as session:
        session.execute(text("UPDATE member_devices SET batch_learned_at = now() - interval '8 days'"))
    third = hosting(opened, "a")
    third.get("a")
    assert third.batch_atoms("a") is None


def test_an_entry_may_limit_batches_too(opened):
    entry = replace(EMT, limits=Limits(batch_atoms=100))
    cache = MemberCache([entry], devices.CPU, opened, settings(), {})
    cache.get("emt")
    assert cache.batch_atoms("emt") == 100
    cache.used("emt", 1, 50)
    assert cache.batch_atoms("emt") == 50


def test_another_checkpoint_under_a_name_has_a_canary_of_its_own(opened):
    hosting(opened, "a").get("a")
    with opened.begin() as session:
        device_records.keep(session, "a", "other", DeviceRecord("cpu", 1.0, 5, 3.0, np.zeros((13, 3))))
        assert len(device_records.records_of(session, "a", "other")) == 1
        assert len(session.scalars(select(MemberDevice)).all()) == 2


def test_a_sticky_error_while_loading_is_passed_on(opened, monkeypatch):
    def faulty(entry, *, device):
        raise DeviceFault("CUDA error: device-side assert triggered")

    monkeypatch.setattr(registry, "load", faulty)
    with pytest.raises(DeviceFault):
        hosting(opened, "a").get("a")


def test_a_worker_whose_member_is_unfit_does_not_count_as_its_host(opened):
    cache = hosting(opened, "a", "b", members_memory_gib=3)
    cache.get("a")
    with pytest.raises(MachineryFailure):
        cache.make_room("b", busy={"a"})
    common = {
        "host": "h",
        "pid": 1,
        "kind": "potentials",
        "device": "CPU",
        "ready": True,
        "reason": "",
        "memory_bytes": 1,
    }
    with opened.begin() as session:
        beat(session, name="w", members=["a", "b"], member_states=cache.report(), **common)
    with opened() as session:
        there = fleet.fleet(session)
    assert there.members == {"a": 1}
    assert there.absence("b").startswith("the worker with b is not ready: b takes 2.0 GiB")


class Elsewhere:
    """A CUDA device: its memory by torch's counters, and by a driver that may fall silent."""

    kind, id, title = "cuda", "GPU-1", "NVIDIA H100 (GPU-1)"

    def __init__(self) -> None:
        self.free, self.taken, self.most, self.released, self.silent = 70 * devices.GIB, 0, 0, 0, False

    def free_bytes(self) -> int:
        if self.silent:
            raise MachineryFailure("the CUDA device GPU-1 does not answer: GPU is lost")
        return self.free

    def taken_bytes(self) -> int:
        return self.taken

    def most_taken_bytes(self) -> int:
        return self.most

    def release(self) -> None:
        self.released += 1
        self.most = self.taken


def on_gpu(opened: Sessions, device: Elsewhere, *entries) -> MemberCache:
    return MemberCache(entries or [EMT], device, opened, settings(min_free_gib=1), {})


def test_a_device_that_falls_silent_costs_no_work_and_no_heartbeat(opened):
    """What `make_room` raises the task takes for a member that can't be had now; anything else would charge all work in flight."""
    device = Elsewhere()
    cache = on_gpu(opened, device)
    device.silent = True
    with pytest.raises(MachineryFailure, match="GPU is lost"):
        cache.make_room("emt", busy=())
    assert cache.absence() == "the CUDA device GPU-1 does not answer: GPU is lost"
    device.silent = False
    assert cache.absence() == ""


def test_what_others_take_during_a_load_is_not_the_members(opened, monkeypatch):
    device, load = Elsewhere(), registry.load

    def loading(entry, *, device):
        elsewhere.free -= 40 * devices.GIB  # another user's
        elsewhere.taken, elsewhere.most = 2 * devices.GIB, 3 * devices.GIB
        return load(entry, device="cpu")

    elsewhere = device
    monkeypatch.setattr(registry, "load", loading)
    on_gpu(opened, device).get("emt")
    with opened() as session:
        assert session.scalars(select(MemberDevice.memory_bytes)).all() == [3 * devices.GIB]
    assert device.released == 1


def test_a_need_that_was_measured_too_high_is_mended_by_the_next_load(opened, monkeypatch):
    load = registry.load
    monkeypatch.setattr(registry, "load", lambda entry, *, device: load(entry, device="cpu"))
    emt = load(EMT)
    answer = canary.check(emt, [], "cpu")
    with opened.begin() as session:
        record = DeviceRecord("GPU-1", 1.0, 45 * devices.GIB, answer.energy, answer.forces)
        device_records.keep(session, "emt", emt.card.sha256, record)
    on_gpu(opened, Elsewhere()).get("emt")
    with opened() as session:
        assert session.scalars(select(MemberDevice.memory_bytes)).all() == [0]


def test_tf32_has_a_canary_of_its_own(opened):
    """It answers otherwise, and is none the worse for it."""
    rounded = replace(EMT, name="emt", options={**EMT.options, "tf32": True})
    for entry in (EMT, rounded):
        MemberCache([entry], devices.CPU, opened, settings(), {}).get("emt")
    with opened() as session:
        names = session.scalars(select(MemberDevice.member_sha256)).all()
    assert sorted(name.removeprefix(registry.load(EMT).card.sha256) for name in names) == ["", "+tf32"]
    with pytest.raises(Misconfigured, match="its option tf32 is 'yes'; it may be true or false"):
        _ = replace(EMT, options={"tf32": "yes"}).tf32
