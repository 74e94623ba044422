"""The store, on SQLite and on a real PostgreSQL server: leases, evidence, results, keys."""

import threading
from pathlib import Path

from service.jobs.states import CHANGES, FINAL, before
from service.store import api_keys, jobs
from service.store.api_keys import Entry
from service.store.jobs import Part, Point
from service.store.store import Store
from tests.service.stored import ME, OTHER, new, running


def test_what_was_accepted_is_there_after_a_restart(url: str, tmp_path: Path) -> None:
    first = Store(url, tmp_path)
    first.start()
    first.now(jobs.accept, new(), 1.5)
    first.stop()
    second = Store(url, tmp_path)
    second.start()
    head = second.now(jobs.head, new().id, "")
    kept = second.now(jobs.load, new().id)
    second.stop()
    assert head is not None and (head.state, head.updated, head.drawn) == ("queued", 1.5, 0)
    assert kept == jobs.Kept(new(), None, ())


def test_the_same_idempotency_key_is_the_same_job_for_the_same_owner_only(store: Store) -> None:
    first = store.now(jobs.accept, new(1, owner="a", idempotency="k"), 1.0)
    again = store.now(jobs.accept, new(2, owner="a", idempotency="k", digest="1" * 64), 2.0)
    other = store.now(jobs.accept, new(3, owner="b", idempotency="k"), 3.0)
    assert again == first and other.id != first.id
    keyless = [store.now(jobs.accept, new(n, owner="a"), 1.0).id for n in (4, 5)]
    assert len(set(keyless)) == 2


def test_the_same_key_at_two_servers_at_once_is_one_job(store: Store) -> None:
    start, heads = threading.Barrier(8), []

    def send(number: int) -> None:
        start.wait()
        heads.append(store.now(jobs.accept, new(number, idempotency="key"), 1.0))

    senders = [threading.Thread(target=send, args=(number,)) for number in range(1, 9)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert len(heads) == 8 and len({head.id for head in heads}) == 1
    assert len(store.now(jobs.listing, "", 10, None)) == 1


def test_a_job_belongs_to_its_owner(store: Store) -> None:
    store.now(jobs.accept, new(1, owner="a"), 1.0)
    assert store.now(jobs.head, new(1).id, "b") is None
    assert not store.now(jobs.cancel, new(1).id, "b", 2.0, 3.0)
    assert store.now(jobs.listing, "b", 10, None) == []


def test_listing_pages_from_new_to_old_without_gaps(store: Store) -> None:
    for number in range(1, 8):
        # Three accepted at the same time: the id decides.
        store.now(jobs.accept, new(number, created=float(max(number, 3))), 1.0)
    seen, after = [], None
    while page := store.now(jobs.listing, "", 3, after):
        seen += [int(head.id, 16) for head in page]
        after = page[-1]
    assert seen == [7, 6, 5, 4, 3, 2, 1]


def test_only_one_holder_gets_a_job_and_the_oldest_goes_first(store: Store) -> None:
    for number in (3, 1, 2):
        store.now(jobs.accept, new(number), 1.0)
    mine = store.now(jobs.claim, ME, 10.0, 20.0, 2)
    assert mine == [new(1).id, new(2).id]
    assert store.now(jobs.claim, OTHER, 10.0, 20.0, 2) == [new(3).id]
    assert store.now(jobs.claim, OTHER, 19.0, 29.0, 2) == []
    assert store.now(jobs.renew, ME, mine, 40.0) == set(mine)
    assert store.now(jobs.claim, OTHER, 30.0, 60.0, 9) == [new(3).id]
    assert store.now(jobs.claim, OTHER, 41.0, 60.0, 9) == [new(1).id, new(2).id]


def test_many_holders_at_once_never_get_the_same_job(store: Store) -> None:
    for number in range(20):
        store.now(jobs.accept, new(number), 1.0)
    got: dict[str, list[str]] = {}

    def grab(holder: str) -> None:
        got[holder] = store.now(jobs.claim, holder, 10.0, 20.0, 8)

    threads = [threading.Thread(target=grab, args=(f"{n:032x}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = [job for jobs_ in got.values() for job in jobs_]
    assert len(taken) == len(set(taken)) >= 8


def test_evidence_grows_and_is_read_back_in_order(store: Store) -> None:
    job = running(store)
    for first, drawn in ((64, 64), (0, 128)):
        point = Point(drawn, 7, f'{{"samples":{drawn}}}')
        assert store.now(jobs.checkpoint, job, ME, point, Part(first, b"part %d" % first), 11.0)
    kept = store.now(jobs.load, job)
    assert (kept.target, kept.parts) == (7, (b"part 0", b"part 64"))
    head = store.now(jobs.head, job, "")
    assert head is not None and (head.drawn, head.progress) == (128, '{"samples":128}')
    assert store.now(jobs.backlog) == 100 - 128
    assert store.now(jobs.begin_anew, job, ME, '{"anew":1}')
    assert store.now(jobs.load, job) == jobs.Kept(new(asked='{"anew":1}'), None, ())


def test_a_part_that_grew_takes_the_place_of_what_it_holds(store: Store) -> None:
    job = running(store)
    for part in (
        Part(64, b"64 to 128"),
        Part(0, b"0 to 128", grown=64),
        Part(0, b"0 to 192", grown=0),
        Part(0, b"0 to 192", grown=0),  # of which nobody was told that it was saved
        Part(256, b"256 to 320"),
    ):
        assert store.now(jobs.checkpoint, job, ME, Point(1, 7, "{}"), part, 11.0)
    assert store.now(jobs.load, job).parts == (b"0 to 192", b"256 to 320")


def test_whoever_lost_the_lease_can_write_nothing_more(store: Store) -> None:
    job = running(store)
    assert store.now(jobs.take, job, OTHER, 21.0, 40.0)
    point = Point(64, 7, "{}")
    assert not store.now(jobs.checkpoint, job, ME, point, Part(0, b"late"), 22.0)
    assert not store.now(jobs.begin_anew, job, ME, "")
    assert not store.now(jobs.finish, job, ME, point, {"k": b"late"}, 22.0, 99.0)
    assert not store.now(jobs.fail, job, ME, "{}", 22.0, 99.0)
    assert not store.now(jobs.release, job, ME, 22.0)
    assert store.now(jobs.renew, ME, [job], 99.0) == frozenset()
    assert store.now(jobs.load, job).parts == ()
    assert store.now(jobs.release, job, OTHER, 23.0)
    assert store.now(jobs.claim, ME, 24.0, 30.0, 1) == [job]


def test_a_finished_job_keeps_its_results_until_they_expire(store: Store) -> None:
    job = running(store)
    store.now(jobs.checkpoint, job, ME, Point(100, 7, "{}"), Part(0, b"part"), 11.0)
    results = {"application/json": b"{}", "image/png": b"\x89PNG"}
    assert store.now(jobs.finish, job, ME, Point(100, 7, None), results, 12.0, 50.0)
    assert {kind: store.now(jobs.result, job, kind) for kind in results} == results
    assert store.now(jobs.load, job) == jobs.Kept(new(picture=None), 7, ())  # type: ignore[arg-type]
    assert store.now(jobs.backlog) == 0
    assert store.now(jobs.purge, 50.0) == 0 and store.now(jobs.purge, 50.1) == 1
    assert store.now(jobs.head, job, "") is None
    assert store.now(jobs.result, job, "image/png") is None


def test_a_failed_job_says_why(store: Store) -> None:
    job = running(store)
    assert store.now(jobs.fail, job, ME, '{"status":500}', 12.0, 50.0)
    head = store.now(jobs.head, job, "")
    assert head is not None and (head.state, head.problem) == ("failed", '{"status":500}')


def test_nothing_comes_after_a_final_state(store: Store) -> None:
    job = running(store)
    assert store.now(jobs.cancel, job, "", 12.0, 50.0)
    assert not store.now(jobs.cancel, job, "", 13.0, 50.0)
    assert not store.now(jobs.finish, job, ME, Point(1, 1, None), {}, 13.0, 50.0)
    assert not store.now(jobs.checkpoint, job, ME, Point(1, 1, "{}"), Part(0, b""), 13.0)
    assert store.now(jobs.claim, ME, 99.0, 199.0, 9) == []
    assert store.now(jobs.renew, ME, [job], 99.0) == frozenset()


def test_the_table_of_states_is_the_one_written_down() -> None:
    assert {"done", "failed", "cancelled"} == FINAL
    assert before("running") == ("queued", "running")
    assert before("done") == ("running",) and set(before("cancelled")) == {"queued", "running"}
    assert all(then <= set(CHANGES) for then in CHANGES.values())


def test_keys_are_kept_by_name(store: Store) -> None:
    entries = [Entry("b", "b" * 64, 1.0, None), Entry("a", "a" * 64, 2.0, 500)]
    assert [store.now(api_keys.add, entry) for entry in entries] == [True, True]
    assert not store.now(api_keys.add, Entry("a", "c" * 64, 3.0, None))
    assert store.now(api_keys.entries) == (entries[1], entries[0])
    assert store.now(api_keys.remove, "a") and not store.now(api_keys.remove, "a")
    assert store.now(api_keys.entries) == (entries[0],)
