"""What a start would meet on this machine: every fault is found, nothing is left behind."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.certificates import Certificates, make_certificates

from metaexpert.logger import ArchiveOptions, LoggerConfig, LokiOptions
from metaexpert.logger.configuring.check import findings


def with_loki(folder: Path, **options: Any) -> LoggerConfig:
    return LoggerConfig(log_dir=folder, sinks=(LokiOptions(**{"url": "https://h", **options}),))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    if shutil.which("openssl") is None:
        pytest.skip("the openssl program is needed to make certificates")
    return make_certificates(tmp_path_factory.mktemp("tls"))


class TestFiles:
    def test_a_folder_that_can_be_made_is_fine_and_not_made(self, tmp_path: Path):
        found = findings(LoggerConfig(log_dir=tmp_path / "new" / "logs"))
        assert (found.errors, found.warnings) == ((), ())
        assert list(tmp_path.iterdir()) == []

    def test_one_that_exists_is_left_as_it_is(self, tmp_path: Path):
        (tmp_path / "expert.log").write_text("kept\n")
        assert findings(LoggerConfig(log_dir=tmp_path)).errors == ()
        assert [path.name for path in tmp_path.iterdir()] == ["expert.log"]
        assert (tmp_path / "expert.log").read_text() == "kept\n"

    def test_a_file_where_a_folder_belongs_is_an_error(self, tmp_path: Path):
        (tmp_path / "file").write_text("")
        (error,) = findings(LoggerConfig(log_dir=tmp_path / "file" / "logs")).errors
        assert error == (
            f"LoggerConfig.log_dir: no file can be made in {str(tmp_path / 'file' / 'logs')!r}: "
            f"{str(tmp_path / 'file')!r} is no folder"
        )

    @pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder in which nobody can make a file")
    def test_a_folder_that_cannot_be_written_is_an_error(self):
        (error,) = findings(LoggerConfig(log_dir=Path("/proc/self/logs"))).errors
        assert error.startswith("LoggerConfig.log_dir: no file can be made in '/proc/self/logs': ")

    def test_a_folder_where_a_file_belongs_is_an_error(self, tmp_path: Path):
        (tmp_path / "errors.log").mkdir()
        (error,) = findings(LoggerConfig(log_dir=tmp_path)).errors
        assert error == f"LoggerConfig: the log file {str(tmp_path / 'errors.log')!r} is a folder; give another name"

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everything")
    def test_a_file_that_cannot_be_written_is_an_error(self, tmp_path: Path):
        (tmp_path / "expert.log").touch(mode=0o400)
        (error,) = findings(LoggerConfig(log_dir=tmp_path)).errors
        assert "cannot be written" in error

    def test_without_files_no_folder_is_needed(self, tmp_path: Path):
        (tmp_path / "file").write_text("")
        assert findings(LoggerConfig(log_dir=tmp_path / "file", log_to_file=False)).errors == ()


class TestSecrets:
    def test_one_that_is_missing_is_an_error(self, tmp_path: Path):
        (error,) = findings(with_loki(tmp_path, bearer_token_file=tmp_path / "none")).errors
        assert error.startswith(f"LoggerConfig.sinks.0.bearer_token_file: the file {str(tmp_path / 'none')!r}")

    @pytest.mark.skipif(os.name != "posix", reason="there are no permission bits here")
    def test_one_that_everyone_can_read_is_a_warning(self, tmp_path: Path):
        secret = tmp_path / "secret"
        secret.write_text("s3cret")
        secret.chmod(0o644)
        found = findings(with_loki(tmp_path, bearer_token_file=secret))
        assert found.errors == ()
        (warning,) = found.warnings
        assert warning.startswith(f"LoggerConfig.sinks.0.bearer_token_file: any user here can read {str(secret)!r}")
        secret.chmod(0o600)
        assert findings(with_loki(tmp_path, bearer_token_file=secret)).warnings == ()


class TestTls:
    def test_certificates_that_can_be_used_are_fine(self, tmp_path: Path, certificates: Certificates):
        made = with_loki(
            tmp_path,
            ca_file=certificates.authority,
            client_cert_file=certificates.client,
            client_key_file=certificates.client_key,
        )
        assert findings(made).errors == ()

    def test_an_authority_that_is_missing_or_none_is_an_error(self, tmp_path: Path):
        (tmp_path / "text.pem").write_text("no certificate")
        for name in ("none.pem", "text.pem"):
            (error,) = findings(with_loki(tmp_path, ca_file=tmp_path / name)).errors
            assert error.startswith(f"LoggerConfig.sinks.0: ca_file {str(tmp_path / name)!r} cannot be used: ")

    def test_a_key_of_another_certificate_is_an_error(self, tmp_path: Path, certificates: Certificates):
        other = make_certificates(tmp_path)
        made = with_loki(tmp_path, client_cert_file=certificates.client, client_key_file=other.client_key)
        (error,) = findings(made).errors
        assert "client_cert_file" in error
        assert "client_key_file" in error

    def test_an_encrypted_key_is_an_error_and_asks_nobody(self, tmp_path: Path, certificates: Certificates):
        from subprocess import run

        encrypted = tmp_path / "encrypted.pem"
        command = ["openssl", "pkey", "-in", str(certificates.client_key), "-aes256", "-passout", "pass:x"]
        run([*command, "-out", str(encrypted)], check=True, capture_output=True)
        made = with_loki(tmp_path, client_cert_file=certificates.client, client_key_file=encrypted)
        (error,) = findings(made).errors
        assert "the key is encrypted; store it without a passphrase" in error


class TestRisks:
    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"verify_tls": False}, "LoggerConfig.sinks.0.verify_tls: is off"),
            ({"url": "http://h", "api_key": "x"}, "credentials go to 'http://h' unencrypted"),
            ({"url": "http://h", "username": "u", "password": "x"}, "credentials go to 'http://h' unencrypted"),
            ({"url": "http://h", "headers": {"X-Key": "x"}}, "credentials go to 'http://h' unencrypted"),
        ],
    )
    def test_what_is_hardly_meant_is_a_warning(self, tmp_path: Path, options: dict[str, Any], said: str):
        found = findings(with_loki(tmp_path, **options))
        assert found.errors == ()
        (warning,) = found.warnings
        assert said in warning

    def test_certificates_without_encryption_are_not_used(self, tmp_path: Path, certificates: Certificates):
        (warning,) = findings(with_loki(tmp_path, url="http://h", ca_file=certificates.authority)).warnings
        assert "the certificates are not used" in warning

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
    def test_credentials_may_go_to_this_machine(self, tmp_path: Path, host: str):
        assert findings(with_loki(tmp_path, url=f"http://{host}:3100", api_key="x")).warnings == ()


def test_an_archive_below_a_folder_that_is_not_there_is_a_warning(tmp_path: Path):
    def warnings(folder: Path) -> tuple[str, ...]:
        return findings(LoggerConfig(log_dir=tmp_path, archive=ArchiveOptions(folder=folder))).warnings

    (warning,) = warnings(tmp_path / "mnt" / "nas")
    assert "files stay beside the logs until there is" in warning
    assert warnings(Path("archive")) == ()
    (tmp_path / "mnt").mkdir()
    assert warnings(tmp_path / "mnt" / "nas") == ()
