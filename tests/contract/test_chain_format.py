"""The example on the page about on-disk formats, checked as an auditor would who has that page alone."""

import hashlib
import hmac
import json
import re
from base64 import b64decode
from pathlib import Path

import pytest
from support.chained_logs import ChainedLog, contents

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "on-disk-formats.md"
SECRET = "an example of a secret, 38 characters!"
LOG = "expert.log"
LINES = [b'{"message":"one"}', b'{"message":"two"}']


def shown() -> tuple[list[str], list[str]]:
    """Seals and chain as the page shows them."""
    text = PAGE.read_text(encoding="utf-8").split("### An example of a chain", 1)[1]
    seals, chain = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    return seals.splitlines(), chain.splitlines()


def sign(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()


def epoch_key(epoch: int) -> bytes:
    key = sign(SECRET.encode(), b"metaexpert chain 1 log " + LOG.encode())
    for _ in range(epoch):
        key = sign(key, b"metaexpert chain 1 next")
    return key


def audit(lines: list[str], log_lines: list[bytes], epoch: int | None = None) -> list[bytes]:
    """The heads of a chain's lines, each made anew from what is before it."""
    head, heads = bytes(32), list[bytes]()
    for line in lines:
        values = json.loads(line)
        body = line[: line.rindex(',"head":')].encode()
        hashed = hashlib.sha256(head + hashlib.sha256(body).digest())
        if values["kind"] == "lines":
            own = [hashlib.sha256(each).digest() for each in log_lines[values["line"] - 1 :][: values["count"]]]
            assert b64decode(values["digests"]) == b"".join(digest[:8] for digest in own)
            hashed.update(b"".join(own))
        head = hashed.digest()
        assert values["head"] == head.hex()
        if "mac" in values:
            its_epoch = values["epoch"] if epoch is None else epoch
            signing = sign(epoch_key(its_epoch), b"metaexpert chain 1 sign")
            assert line.endswith(f',"mac":"{sign(signing, head).hex()}"}}')
        heads.append(head)
    return heads


def test_the_example_is_what_the_page_says():
    seals, chain = shown()
    seal_heads, chain_heads = audit(seals, []), audit(chain, LINES, epoch=0)
    assert json.loads(chain[0])["begun"] == seal_heads[1].hex()
    assert json.loads(seals[2])["seal"] == chain_heads[-1].hex()


@pytest.mark.parametrize("secret", [None, SECRET], ids=["unkeyed", "keyed"])
def test_the_program_writes_what_the_page_says(tmp_path: Path, secret: str | None):
    log = ChainedLog(tmp_path, secret).write(3, 2)
    done = log.rotate()
    found = contents(tmp_path)
    seals = found[f"{LOG}.seals"].decode().splitlines()
    chain = found[done.chain.name].decode().splitlines()
    epoch = None if secret is None else 0
    is_keyed = secret is not None
    assert ["mac" in json.loads(line) for line in seals] == [False, is_keyed, is_keyed]
    assert ["mac" in json.loads(line) for line in chain] == [is_keyed] * 4
    assert audit(chain, found[done.path.name].splitlines(), epoch)[-1].hex() == json.loads(seals[2])["seal"]
    audit(seals, [])


def test_the_members_are_those_that_the_page_lists(tmp_path: Path):
    ChainedLog(tmp_path, SECRET).write(2).kill()
    last = ChainedLog(tmp_path, SECRET).write(2).stop()
    page = PAGE.read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(\w+)` \| (`.*?) \| ", page, re.MULTILINE))
    always = {"kind", "head", "mac", "n", "epoch", "time"}
    for name in (f"{LOG}.seals", last.chain.name):
        for line in (tmp_path / name).read_text().splitlines():
            values = json.loads(line)
            assert set(values) - always <= set(re.findall(r"`(\w+)`", told[values["kind"]])), values["kind"]
