"""The settings file: what is wrong in it is named by its key, before anything starts."""

from __future__ import annotations

import io
import json
import os
import socket
from pathlib import Path

import pytest

from edge_app.clinic import check
from edge_app.clinic.box import open_classifier
from edge_app.clinic.check import examined, faults
from edge_app.clinic.faults import SettingsError
from edge_app.clinic.settings import Settings, Watch, in_settings, read_settings
from edge_app.clinic.spool import Document, Spool
from edge_app.clinic.store import Store, in_use
from edge_app.core.errors import ImageError
from edge_app.core.shortage import KILLED, NO_MEMORY
from edge_app.images.radiograph import Limits
from edge_app.images.read import read_image

from ..conftest import Run
from ..pictures import png, radiograph
from ..site.made import site_file
from .conftest import offered
from .peers import free_port

NODE = 'spool = "spool"\n[node]\n'


def settings(folder: Path, text: str) -> Settings:
    (folder / "box.toml").write_text(text)
    return read_settings(folder / "box.toml")


def test_a_node_needs_two_lines_and_listens_to_this_machine_alone(tmp_path: Path) -> None:
    read = settings(tmp_path, NODE)
    assert read.spool == tmp_path / "spool"
    assert read.node is not None
    assert (read.node.host, read.node.port, read.node.ae_title) == ("127.0.0.1", 11112, "EDGECXR")
    assert read.watch is None


def test_everything_can_be_said(tmp_path: Path) -> None:
    read = settings(
        tmp_path,
        """
        spool = "/var/lib/x"
        model = "cxr-cnn28"
        workers = 2
        keep_hours = 1.5
        [node]
        ae_title = "BOX"
        host = "0.0.0.0"
        port = 104
        results = ["one"]
        [[node.peer]]
        ae_title = "CR1"
        hosts = ["10.0.0.7", "fd00::/8"]
        [node.tls]
        certificate = "c.pem"
        key = "k.pem"
        authority = "/a.pem"
        [[receiver]]
        name = "one"
        ae_title = "PACS"
        host = "pacs.local"
        port = 11112
        [[receiver]]
        name = "two"
        ae_title = "PACS2"
        host = "pacs.local"
        port = 11113
        heatmap = true
        [watch]
        folder = "in"
        outbox = "out"
        """,
    )
    assert read.keep == 5400
    assert read.node is not None
    assert read.node.receivers == ("one",)
    assert str(read.node.peers[0].hosts[1]) == "fd00::/8"
    assert read.node.tls is not None
    assert (read.node.tls.key, read.node.tls.authority) == (tmp_path / "k.pem", Path("/a.pem"))
    assert [each.heatmap for each in read.receivers] == [False, True]
    assert read.watch is not None
    assert read.watch.outbox == tmp_path / "out"


RECEIVER = '[[receiver]]\nname = "a"\nae_title = "A"\nhost = "h"\nport = 1\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("spool = ", "is no TOML"),
        ("[node]", "spool is missing"),
        ('spool = "s"', r"\[node\], \[page\] and \[watch\] are missing"),
        ("spool = 3\n[node]", "spool must be a text"),
        ('spool = "a\\u0000b"\n[node]', "spool is 'a.x00b': no path has a null character"),
        (NODE + "prot = 3", r"\[node\] prot is not known: is port meant\?; there are: .*port"),
        (NODE + 'colour = "red"', r"\[node\] colour is not known; there are: .*port"),
        (
            NODE + '[[receiver]]\nname = "a"\naetitle = "A"',
            r"\[receiver\] aetitle is not known: is ae_title meant\?",
        ),
        (NODE + 'port = "104"', r"\[node\] port must be a whole number"),
        (NODE + "port = true", "port must be a whole number"),
        (NODE + "port = 70000", "port is 70000: give 1 to 65535"),
        (NODE + 'ae_title = "SEVENTEEN LETTERS"', "1 to 16 characters"),
        (NODE + 'ae_title = "A\\\\B"', "1 to 16 characters"),
        (NODE + 'host = "0.0.0.0"', "say who may send"),
        (NODE + 'host = "box.local"', "give an address"),
        (NODE + 'results = ["x"]', "no such"),
        ('spool = "s"\n[page]\nresults = ["x"]', r"\[page\] results names 'x'"),
        (NODE + f'results = ["a", "a"]\n{RECEIVER}', "results names 'a' twice"),
        (NODE + '[[node.peer]]\nae_title = "X"', "hosts is missing"),
        (NODE + '[[node.peer]]\nae_title = "X"\nhosts = ["a.b"]', "addresses or networks"),
        (NODE + "[node.tls]", "certificate is missing"),
        (NODE + "[[receiver]]", "name is missing"),
        (NODE + RECEIVER + RECEIVER, "names must differ"),
        (NODE + RECEIVER.replace('"a"', '"watch"'), "not be 'watch'"),
        (NODE + RECEIVER.replace('"a"', '"a b"'), "letters, digits"),
        (NODE + RECEIVER.replace('"h"', '"pacs..local"'), "host is 'pacs..local': give a name"),
        (NODE + RECEIVER.replace('"h"', '""'), "host is '': give a name"),
        ('spool = "s"\n[watch]', "folder is missing"),
        ('spool = "s"\n[watch]\nfolder = "x"\noutbox = "x"', "outbox is the watched folder"),
        ('spool = "s"\n[watch]\nfolder = "x"\noutbox = "y/../x"', "outbox is the watched folder"),
        ('spool = "s"\n[watch]\nfolder = "./s"', "is a folder of the spool"),
        ('spool = "s"\n[watch]\nfolder = "s/in"\noutbox = "s/images"', "is a folder of the spool"),
        (
            'spool = "s"\n[watch]\nfolder = "x"\n[page]\ncollect = "./x"',
            r"\[page\] collect is the watched folder",
        ),
        ('spool = "s"\n[page]\ncollect = "s/images"', "collect is a folder of the spool"),
        ('spool = "s"\nnode = 3', "node must be a table"),
        ('spool = "s"\n[page]\nhost = "0.0.0.0"', "users is missing"),
        (NODE + '[metrics]\nhost = "10.0.0.7"', "users is missing"),
        ('spool = "s"\n[page]\nnames = ["box.local:80"]', "without a port"),
        ('spool = "s"\n[page]\nlanguage = "../en"', "give one as 'en'"),
        ('spool = "s"\n[page.tls]\ncertificate = "c"', "key is missing"),
        ("receiver = 3\n" + NODE, "receiver must be tables"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as refused:
        settings(tmp_path, text)
    assert "box.toml" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("cxr-cnn28", "cxr-cnn28"),
        ("own.tflite", "{folder}/own.tflite"),
        ("models/own", "{folder}/models/own"),
        ("/srv/own.tflite", "/srv/own.tflite"),
    ],
)
def test_a_model_file_lies_beside_the_settings_wherever_the_box_is_started(
    tmp_path: Path, model: str, expected: str
) -> None:
    read = settings(tmp_path, f'spool = "s"\nmodel = "{model}"\n[node]')
    assert read.model == expected.format(folder=tmp_path)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file"):
        read_settings(tmp_path / "absent.toml")


def test_a_page_needs_two_lines_and_listens_to_this_machine_alone(tmp_path: Path) -> None:
    read = settings(tmp_path, 'spool = "spool"\n[page]\n')
    assert read.page is not None
    assert read.page.listener.url == "http://127.0.0.1:8080/"
    assert (read.page.listener.users, read.page.collect, read.metrics) == (None, None, None)


def test_a_page_on_a_network_names_who_may_come_in(tmp_path: Path) -> None:
    read = settings(
        tmp_path,
        """
        spool = "s"
        users = "users"
        [page]
        host = "0.0.0.0"
        port = 443
        names = ["Box.Clinic.example"]
        collect = "read"
        [page.tls]
        certificate = "c.pem"
        key = "k.pem"
        [metrics]
        host = "::"
        """,
    )
    assert read.page is not None
    assert read.page.listener.users == tmp_path / "users"
    assert read.page.listener.names == ("box.clinic.example",)
    assert read.page.listener.url == "https://0.0.0.0:443/"
    assert read.page.collect == tmp_path / "read"
    assert read.metrics is not None
    assert read.metrics.users == tmp_path / "users"


# The machine


def test_check_finds_what_a_page_lacks(tmp_path: Path) -> None:
    pytest.importorskip("starlette", reason="the clinic extra is not installed")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "users").write_text("")
        (tmp_path / "users").chmod(0o644)
        text = (
            f'spool = "s"\nusers = "users"\n[page]\nport = {port}\nlanguage = "xx"\n'
            f'[metrics]\nhost = "0.0.0.0"\nport = {free_port()}\n'
        )
        found = "\n".join(faults(settings(tmp_path, text)))
    for words in (
        *(f"[page] port: cannot listen at 127.0.0.1:{port}", "holds nobody", "chmod 600"),
        *("there are en", "[metrics.tls] is missing: over the network"),
    ):
        assert words in found


def test_check_finds_what_this_machine_lacks(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = "\n".join(
            faults(
                settings(
                    tmp_path,
                    f'spool = "s"\nmodel = "absent"\nleast_free_mb = 16000000\n'
                    f"[node]\nport = {port}\n[node.tls]\n"
                    'certificate = "c"\nkey = "k"\nauthority = "a"\n'
                    '[watch]\nfolder = "not-there"\n'
                    + RECEIVER.replace('"h"', '"no-such-host.invalid"'),
                )
            )
        )
    for words in (
        *("least_free_mb", "absent", f"cannot listen at 127.0.0.1:{port}", "c cannot be read"),
        *("is no folder", "no-such-host.invalid"),
    ):
        assert words in found


def test_check_finds_a_backend_with_which_the_box_does_not_start(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("highdicom", reason="the clinic extra is not installed")
    file = tmp_path / "box.toml"
    for backend, code in (("cpu", 0), ("gpu", 2)):
        port = free_port()
        file.write_text(
            f'spool = "s"\nmodel = "cxr-cnn28"\nbackend = "{backend}"\nleast_free_mb = 0\n'
            f"[node]\nport = {port}\n"
        )
        done = run("serve --check", file)
        assert done.returncode == code, done.stderr
    assert f"{file}: backend: gpu: there are auto, cpu, " in done.stderr
    Store(tmp_path / "s").close()
    assert run("serve", file).returncode == 2


def test_check_finds_that_there_is_no_place_for_answers(tmp_path: Path) -> None:
    """Which nobody makes, since it may lie on a share."""
    (tmp_path / "in").mkdir()
    text = 'spool = "s"\nmodel = "cxr-cnn28"\n[watch]\nfolder = "in"\noutbox = "out"\n'
    known = settings(tmp_path, text)
    assert "[watch] outbox" in "\n".join(faults(known))
    (tmp_path / "out").mkdir()
    assert "[watch]" not in "\n".join(faults(known))


@pytest.mark.parametrize("hidden", ["folder", "outbox"])
def test_check_finds_a_folder_that_this_user_cannot_see(tmp_path: Path, hidden: str) -> None:
    shut = tmp_path / "shut" / "out"
    shut.mkdir(parents=True)
    watch = Watch(shut, None, 0) if hidden == "folder" else Watch(Path("/"), shut, 0)
    user = os.geteuid()  # whom nothing is hidden from, perhaps
    (tmp_path / "shut").chmod(0)
    os.seteuid(user or 65534)
    try:
        (found,) = check._watch(watch)
    finally:
        os.seteuid(user)
        (tmp_path / "shut").chmod(0o700)
    assert found.startswith(f"[watch] {hidden}: {shut} is no folder that this user can see")


def test_a_site_file_stands_in_the_settings_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = site_file(tmp_path)
    monkeypatch.setenv("EDGE_CXR_SITE", str(place))
    (tmp_path / "in").mkdir()
    watch = '[watch]\nfolder = "in"\n'
    own = settings(tmp_path, 'spool = "s"\nmodel = "cxr-cnn28"\nleast_free_mb = 0\n' + watch)
    assert own.site is None
    assert open_classifier(own).site is None
    text = 'spool = "s"\nmodel = "{}"\nsite = "{}"\nleast_free_mb = 0\n' + watch
    right = settings(tmp_path, text.format("cxr-cnn28", "site.json"))
    assert right.site == place
    assert list(faults(right)) == []
    assert open_classifier(right).points.name == "site"


@pytest.mark.parametrize(
    ("model", "site", "words"),
    [
        ("cxr-lite0-128", "site.json", "is for cxr-cnn28"),
        ("cxr-cnn28", "absent.json", "no such file"),
        ("cxr-cnn28", "box.toml", "is no JSON"),
    ],
)
def test_a_site_file_that_cannot_decide_is_refused_by_check_and_at_start(
    run: Run, tmp_path: Path, model: str, site: str, words: str
) -> None:
    site_file(tmp_path)
    (tmp_path / "in").mkdir()
    file = tmp_path / "box.toml"
    file.write_text(
        f'spool = "s"\nmodel = "{model}"\nsite = "{site}"\nleast_free_mb = 0\n'
        '[watch]\nfolder = "in"\n'
    )
    for command in ("serve --check", "serve"):
        done = run(command, file)
        assert done.returncode
        (line,) = done.stderr.splitlines()
        assert words in line
        assert str(tmp_path / site) in line


def test_serve_check_prints_every_fault_and_starts_nothing(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("highdicom", reason="the clinic extra is not installed")
    file = tmp_path / "box.toml"
    text = f'spool = "s"\nmodel = "cxr-cnn28"\n[node]\nport = {free_port()}\n'
    for more, said in (
        ("", "the node's results go to no receiver"),
        (RECEIVER.replace('"h"', '"127.0.0.1"'), "receivers are not asked"),
    ):
        file.write_text(text + more)
        done = run("serve --check", file)
        assert (done.returncode, done.stdout) == (0, f"{file}: nothing is wrong here; {said}\n")
    assert not (tmp_path / "s").exists()
    file.write_text(file.read_text() + '[watch]\nfolder = "absent"\n')
    done = run("serve --check", file)
    assert done.returncode == 2
    assert "absent is no folder" in done.stderr


def test_check_names_whom_results_wait_for_that_the_settings_do_not_have(
    run: Run, tmp_path: Path
) -> None:
    """A receiver of another name gets none of them, though all else about it is as it was."""
    pytest.importorskip("highdicom", reason="the clinic extra is not installed")
    spool = Spool(Store(tmp_path / "s"))
    for identity, receivers in (("1.2", ("a",)), ("1.3", ("a", "watch"))):
        spool.accept(offered(identity))
        image = spool.take()
        assert image
        spool.answer(image, "{}", [Document("1", b"x", receivers)])
    spool.store.close()
    file = tmp_path / "box.toml"
    text = f'spool = "s"\nmodel = "cxr-cnn28"\nleast_free_mb = 1\n[node]\nport = {free_port()}\n'
    receiver = RECEIVER.replace('"h"', '"127.0.0.1"')
    file.write_text(text + receiver.replace('"a"', '"b"'))
    done = run("serve --check", file)
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        f"edge-cxr: {file}: answers of the watch folder wait, and [watch] is missing: put it back",
        f"edge-cxr: {file}: results wait for 'a', and there is no such [[receiver]]: give one "
        "that name; its address may be another",
    ]
    assert "nothing else is wrong here" in done.stdout
    (tmp_path / "in").mkdir()
    file.write_text(f'{text}{receiver}[watch]\nfolder = "in"\n')
    assert run("serve --check", file).stderr == ""


def listening(folder: Path, port: int) -> Path:
    """Settings of a box whose port is taken."""
    file = folder / "box.toml"
    file.write_text(f'spool = "s"\nmodel = "cxr-cnn28"\nleast_free_mb = 1\n[node]\nport = {port}\n')
    return file


def test_a_running_box_is_the_finding_and_not_that_its_port_is_taken(
    run: Run, tmp_path: Path
) -> None:
    pytest.importorskip("highdicom", reason="the clinic extra is not installed")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file = listening(tmp_path, port)
        assert f"cannot listen at 127.0.0.1:{port}" in run("serve --check", file).stderr
        store = Store(tmp_path / "s")
        try:
            done = run("serve --check", file)
            assert (done.returncode, done.stderr) == (0, "")
            assert "the box runs: its spool is in use" in done.stdout
            assert f"[node] 127.0.0.1:{port}" in done.stdout
        finally:
            store.close()
        assert run("serve --check", file).returncode == 2
    assert (
        run("serve --check", file).stdout
        == f"{file}: nothing is wrong here; the node's results go to no receiver\n"
    )


def test_looking_does_not_keep_a_box_from_starting(tmp_path: Path) -> None:
    assert not in_use(tmp_path / "s")
    Store(tmp_path / "s").close()
    assert not in_use(tmp_path / "s")
    again = Store(tmp_path / "s")
    assert in_use(tmp_path / "s")
    again.close()


def test_doctor_says_what_check_does(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("highdicom", reason="the clinic extra is not installed")
    file = listening(tmp_path, free_port())
    done = run("doctor --settings box.toml", cwd=tmp_path)
    assert done.returncode == 0
    assert "box.toml: nothing is wrong here; the node's results go to no receiver" in " ".join(
        done.stdout.split()
    )
    file.write_text(file.read_text() + '[watch]\nfolder = "absent"\n')
    done = run("doctor --settings box.toml", cwd=tmp_path)
    assert done.returncode == 2
    said = "".join(done.stdout.split())  # a long path is folded
    assert "absentisnofolder" in said
    assert "verdictNOTready" in said
    found = json.loads(run("doctor --json --settings box.toml", cwd=tmp_path).stdout)
    assert not found["ok"]
    assert [line.rpartition(": ")[0] for line in found["box"]["faults"]] == [
        "box.toml: [watch] folder"
    ]
    assert "no such file" in examined(tmp_path / "none.toml").faults[0]


def test_another_user_s_spool_is_a_fault_of_who_would_serve_and_not_of_who_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("highdicom", reason="the clinic extra is not installed")
    (tmp_path / "s").mkdir(mode=0o700)
    file = listening(tmp_path, free_port())
    allowed = os.access
    monkeypatch.setattr(  # root may see everything
        os, "access", lambda path, mode: Path(path) != tmp_path / "s" and allowed(path, mode)
    )
    assert "may not write" in examined(file).faults[0]
    found = examined(file, as_visitor=True)
    assert found.faults == ()
    assert "another user's" in found.remark


def test_an_open_spool_is_said(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir(mode=0o755)
    found = list(faults(settings(tmp_path, f'spool = "s"\n[node]\nport = {free_port()}\n')))
    assert any("chmod 700" in each for each in found)


@pytest.mark.parametrize("limits", [Limits(max_pixels=9), Limits(max_bytes=9)])
def test_what_is_too_large_is_told_by_what_a_box_has(limits: Limits) -> None:
    """There is no command line, whose options the same refusal names elsewhere."""
    with pytest.raises(ImageError) as refused:
        read_image(io.BytesIO(png(radiograph())), limits)
    assert ": raise --max-" in str(refused.value)
    message = in_settings(str(refused.value))
    assert "--" not in message
    assert "raise max_pixels in the box's settings" in message or "takes no larger one" in message


@pytest.mark.parametrize("lack", [NO_MEMORY, KILLED])
def test_what_the_machine_lacks_is_told_by_what_a_box_has(lack: str) -> None:
    assert in_settings(lack).endswith("or lower max_pixels in the box's settings")
