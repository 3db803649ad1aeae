"""Where the sender runs it finds the secrets of destinations: in compose and in Kubernetes."""

from __future__ import annotations

from pathlib import Path

import yaml
from cdp_segments.settings import SenderSettings

ROOT = Path(__file__).parents[2]
FOLDER = SenderSettings.model_fields["secrets_folder"].default


def test_compose_mounts_a_folder_of_files_that_is_not_committed() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    (volume,) = compose["services"]["segments-sender"]["volumes"]
    source, target, mode = volume.removeprefix("${CDP_DESTINATION_SECRETS:-").replace("}", "").split(":")
    assert (Path(target), mode) == (FOLDER, "ro")
    assert (ROOT / source / ".gitignore").read_text().split() == ["*", "!.gitignore"]


def test_kubernetes_mounts_every_key_of_their_secret() -> None:
    manifests = yaml.safe_load_all((ROOT / "infra/k8s/segments/base/segments-sender.yaml").read_text())
    (pod,) = [each["spec"]["template"]["spec"] for each in manifests if each["kind"] == "Deployment"]
    (mount,) = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "secrets"]
    (volume,) = [each for each in pod["volumes"] if each["name"] == "secrets"]
    (whole,) = [each["secret"] for each in volume["projected"]["sources"] if "items" not in each["secret"]]
    assert (Path(mount["mountPath"]), mount["readOnly"]) == (FOLDER, True)
    assert whole == {"name": "segments-sender-destinations", "optional": True}
