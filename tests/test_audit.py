import json
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from subprocess import CompletedProcess, TimeoutExpired
from types import SimpleNamespace

import pytest

from tests.processes import ROOT

SOUND = {"name": "sound", "version": "1.0", "vulns": []}
UNKNOWN = {"name": "unknown", "skip_reason": "not found"}
BAD = {"name": "bad", "version": "0.1", "vulns": [{"id": "CVE-1", "fix_versions": ["0.2"]}]}


@pytest.fixture
def audit(monkeypatch):
    loader = SourceFileLoader("audit", str(ROOT / ".ci" / "audit"))
    module = module_from_spec(spec_from_loader("audit", loader))
    loader.exec_module(module)

    def answering(stdout, stderr=""):
        ran = CompletedProcess([], 1, stdout, stderr)
        # The script's own name alone: other threads have processes to run.
        fake = SimpleNamespace(run=lambda *args, **options: ran, TimeoutExpired=TimeoutExpired)
        monkeypatch.setattr(module, "subprocess", fake)
        return module.main()

    return answering


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([SOUND], 0, "Audited 1 of 1 packages\n"),
        ([SOUND, BAD], 1, "bad 0.1: CVE-1, fixed in 0.2\nAudited 2 of 2 packages\n"),
        ([UNKNOWN], 0, "Audited 0 of 1 packages; no advisories can be had here for 1\n"),
    ],
)
def test_the_audit_fails_only_for_known_vulnerabilities(audit, capsys, packages, code, said):
    assert audit(json.dumps({"dependencies": packages})) == code
    assert capsys.readouterr().out == said


def test_the_audit_passes_with_a_message_if_no_advisories_are_available(audit, capsys):
    assert audit("", "Traceback\nConnectionError: no such host") == 0
    assert capsys.readouterr().out == (
        "Not audited, as the advisories cannot be had: ConnectionError: no such host\n"
    )
