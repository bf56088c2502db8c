"""Keys follow from one another in one direction, and what was used is not kept."""

import hmac
from pathlib import Path

import orjson
import pytest
from support.chained_logs import SECRET, ChainedLog, contents, verdict_of, verified
from support.forging import rewrite

from metaexpert.exceptions import ConfigError
from metaexpert.logger.files.evidence import chain_keys
from metaexpert.logger.files.evidence.chain_keys import (
    ChainKeyError,
    EpochKey,
    new_secret,
    read_chain_secret,
    state_of,
    store,
    stored,
)
from metaexpert.logger.files.evidence.seals import seals_of
from metaexpert.logger.files.evidence.verdict import Kind


def _hmac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, "sha256").digest()


def test_keys_are_derived_as_the_page_about_the_format_says():
    first = EpochKey.first(SECRET, "expert.log")
    assert first.key == _hmac(SECRET.encode(), b"metaexpert chain 1 log expert.log")
    assert first.next() == EpochKey(1, _hmac(first.key, b"metaexpert chain 1 next"))
    assert first.signing() == _hmac(first.key, b"metaexpert chain 1 sign")
    assert first.at(3) == first.next().next().next()
    assert first.at(0) is first
    assert EpochKey.first(SECRET, "trades.log").key != first.key, "each log has keys of its own"


def test_a_key_is_not_shown():
    assert "key=" not in repr(EpochKey.first(SECRET, "expert.log"))


def test_a_new_secret_is_one():
    assert len({new_secret() for _ in range(5)}) == 5
    assert len(new_secret()) == 64


class TestState:
    def test_it_is_stored_for_its_owner_alone(self, tmp_path: Path):
        key = EpochKey.first(SECRET, "expert.log")
        store(tmp_path / "state", key)
        assert stored(tmp_path / "state") == key
        assert (tmp_path / "state").stat().st_mode & 0o777 == 0o600
        assert [path.name for path in tmp_path.iterdir()] == ["state"]

    def test_the_former_key_is_overwritten_where_it_lay(self, tmp_path: Path):
        first = EpochKey.first(SECRET, "expert.log")
        store(tmp_path / "state", first)
        with (tmp_path / "state").open("rb") as former:
            store(tmp_path / "state", first.next())
            assert first.key.hex().encode() not in former.read()

    def test_none_where_there_is_no_file(self, tmp_path: Path):
        assert stored(tmp_path / "state") is None

    @pytest.mark.parametrize(
        "content", [b"", b"{}", b'{"epoch":-1,"key":"00"}', b'{"epoch":1,"key":"0011"}', b'{"epoch":[],"key":""}']
    )
    def test_a_damaged_one_is_told(self, tmp_path: Path, content: bytes):
        (tmp_path / "state").write_bytes(content)
        with pytest.raises(ChainKeyError, match="holds no key state; bring it back from a backup"):
            stored(tmp_path / "state")

    def test_it_holds_the_next_key_alone_and_never_one_that_was_used(self, tmp_path: Path):
        log = ChainedLog(tmp_path, SECRET).write(2)
        log.rotate()
        log.write(1)
        state = orjson.loads(state_of(seals_of(log.file.log)).read_bytes())
        key = EpochKey.first(SECRET, "expert.log")
        assert state == {"version": 1, "epoch": 3, "key": key.at(3).key.hex()}
        assert log.chain._signing == key.at(2).signing()
        log.stop()
        assert log.chain._signing is None, "forgotten with the seal"

    def test_one_that_a_kill_left_behind_goes_on_with_the_next_epoch(self, tmp_path: Path):
        log = ChainedLog(tmp_path, SECRET).write(2)
        state = state_of(seals_of(log.file.log))
        before = state.read_bytes()
        log.rotate()
        state.write_bytes(before)
        log.write(1).stop()
        assert verified(tmp_path, SECRET).is_intact


class TestWhoRewritesEverything:
    """Files, chains and seals made anew are flawless by their hashes; without the key of that time they are found."""

    def written_and_changed(self, folder: Path, secret: str | None) -> EpochKey | None:
        log = ChainedLog(folder, secret).write(3)
        first = log.rotate()
        log.write(3, 2).rotate()
        first.path.write_bytes(first.path.read_bytes().replace(b"an entry 2", b"no entry 2"))
        assert not verified(folder, secret).is_intact
        return stored(state_of(seals_of(log.file.log)))

    def findings(self, folder: Path) -> list[Kind]:
        assert verified(folder).is_intact, "without the key nothing is wrong with it"
        return [finding.kind for seals in verified(folder, SECRET).seals for finding in seals.findings]

    def test_with_the_key_that_is_on_the_machine_now(self, tmp_path: Path):
        stolen = self.written_and_changed(tmp_path, SECRET)
        assert stolen is not None
        rewrite(tmp_path, stolen.signing())
        assert self.findings(tmp_path) == [Kind.FORGED]

    def test_with_a_key_of_his_own(self, tmp_path: Path):
        self.written_and_changed(tmp_path, SECRET)
        rewrite(tmp_path, b"anything")
        assert self.findings(tmp_path) == [Kind.FORGED]

    def test_without_any_key(self, tmp_path: Path):
        self.written_and_changed(tmp_path, SECRET)
        rewrite(tmp_path, None)
        assert self.findings(tmp_path) == [Kind.FORGED]

    def test_a_log_without_keys_cannot_tell_but_by_its_anchors(self, tmp_path: Path):
        self.written_and_changed(tmp_path, None)
        rewrite(tmp_path, None)
        assert verified(tmp_path).is_intact


class TestTheSecretsFile:
    def test_it_is_read_as_other_secrets_are(self, tmp_path: Path):
        (tmp_path / "key").write_text(f"{SECRET}\n")
        assert read_chain_secret(tmp_path / "key") == SECRET

    @pytest.mark.parametrize("content", ["", "short", "x" * (chain_keys.MIN_SECRET_CHARACTERS - 1)])
    def test_one_that_could_be_guessed_is_refused(self, tmp_path: Path, content: str):
        (tmp_path / "key").write_text(content)
        with pytest.raises(ConfigError, match=r"tamper_evidence\.key_file: .*(is empty|could be guessed)"):
            read_chain_secret(tmp_path / "key")

    def test_a_missing_one_is_told(self, tmp_path: Path):
        with pytest.raises(ConfigError, match="cannot be read"):
            read_chain_secret(tmp_path / "key")


def test_nothing_of_the_secret_is_in_the_folder(tmp_path: Path):
    ChainedLog(tmp_path, SECRET).write(2).stop()
    first = EpochKey.first(SECRET, "expert.log")
    for data in contents(tmp_path).values():
        assert SECRET.encode() not in data
        assert first.key.hex().encode() not in data
        assert first.signing().hex().encode() not in data


def test_a_wrong_key_is_told_as_such(tmp_path: Path):
    done = ChainedLog(tmp_path, SECRET).write(2).stop()
    report = verified(tmp_path, "another secret that is long enough")
    assert verdict_of(report, done).finding is not None
    assert report.seals[0].findings[0].kind is Kind.FORGED
