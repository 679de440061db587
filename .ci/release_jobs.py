"""What the jobs of the release workflow must do, to the letter, so that a release cannot be gutted.

Knows release.yml alone. The tools that know all workflows, and who waits for whom, are check_release's.
"""

import re

import yaml

RELEASE = ".github/workflows/release.yml"
TAG_OF_IMAGE = "${{ needs.tag.outputs.image }}"
DIGEST_OF_IMAGE = "${{ needs.image.outputs.digest }}"
# The lines that each job must run, in this order; what they say around them is its own.
RUNS = {
    "tag": ['.ci/release notes "$GITHUB_REF_NAME"'],
    "linux": [
        "docker build --target program --output dist .",
        'readelf --dynamic --program-headers --wide "$PROGRAM" > headers',
        "if grep -E 'NEEDED|INTERP' headers; then exit 1; fi",
        '"$PROGRAM" sandbox --once "/connect-card adwords customer_schema"',
        '.ci/release archive "$GITHUB_REF_NAME" "$TARGET" "$PROGRAM" .',
    ],
    "macos": [
        "cargo build --release --locked",
        "target/release/connect-card sandbox --once '/connect-card adwords customer_schema'",
        '.ci/release archive "$GITHUB_REF_NAME" aarch64-apple-darwin target/release/connect-card .',
    ],
    "bill": [
        "cargo cyclonedx --all --target all --format json --spec-version 1.5 "
        '--override-filename "connect-card-${GITHUB_REF_NAME#v}.cdx"',
    ],
    "image": [
        "for architecture in amd64 arm64; do",
        'tar xzf "archives/release-linux-$architecture"/*.tar.gz -C "dist/$architecture" --strip-components 1',
    ],
    "tried": [
        'docker pull "$IMAGE"',
        'docker tag "$IMAGE" connect-card',
        ".ci/check_image connect-card",
        ".ci/check_compose connect-card",
    ],
    "attested": [
        '.ci/release compose "$GITHUB_REF_NAME" "$IMAGE" "$DIGEST" > files/compose.yaml',
        "cd files",
        "sha256sum -- * > SHA256SUMS",
    ],
    "published": [
        "sha256sum --check SHA256SUMS",
        # At the moment of publishing: a failed job may be run again when newer versions are out.
        'tags=$(.ci/release tags "$GITHUB_REF_NAME" "${all[@]}")',
        "for tag in $TAGS; do",
        'docker buildx imagetools create --tag "$IMAGE:$tag" "$IMAGE@$DIGEST"',
        "docker buildx imagetools inspect \"$IMAGE:$tag\" --format '{{.Manifest.Digest}}' | grep -Fx \"$DIGEST\"",
        'gh release create "$GITHUB_REF_NAME" --repo "$GITHUB_REPOSITORY" --verify-tag --title "$GITHUB_REF_NAME" '
        '--notes-file notes.md --latest="$latest" --prerelease="$candidate" files/*',
    ],
}
# What those lines mean by their names.
ENVIRONMENT = {
    "linux": {"TARGET": "${{ matrix.target }}", "PROGRAM": "dist/${{ matrix.architecture }}/connect-card"},
    "macos": {"MACOSX_DEPLOYMENT_TARGET": "12.0"},
    "tried": {"IMAGE": f"{TAG_OF_IMAGE}@{DIGEST_OF_IMAGE}"},
    "attested": {"IMAGE": TAG_OF_IMAGE, "DIGEST": DIGEST_OF_IMAGE},
    "published": {"IMAGE": TAG_OF_IMAGE, "DIGEST": DIGEST_OF_IMAGE},
}
# On what each is done.
MACHINE = "${{ matrix.machine }}"
MATRIX = {
    "linux": {
        "include": [
            {"machine": "ubuntu-24.04", "architecture": "amd64", "target": "x86_64-unknown-linux-musl"},
            {"machine": "ubuntu-24.04-arm", "architecture": "arm64", "target": "aarch64-unknown-linux-musl"},
        ]
    },
    "tried": {"machine": ["ubuntu-24.04", "ubuntu-24.04-arm"]},
}
IMAGE = {"subject-name": TAG_OF_IMAGE, "subject-digest": DIGEST_OF_IMAGE, "push-to-registry": True}
BILL = "${{ steps.bill.outputs.file }}"
# The actions whose settings matter, with each of their steps' own.
SETTINGS = {
    ("image", "docker/build-push-action"): [
        {
            "context": ".",
            "build-contexts": "program=dist",
            "platforms": "linux/amd64,linux/arm64",
            # By its digest alone: it gets no tag here.
            "outputs": f"type=image,name={TAG_OF_IMAGE},push=true,push-by-digest=true,name-canonical=true",
            "provenance": False,
            "sbom": False,
            "no-cache": True,
        }
    ],
    ("attested", "actions/attest"): [
        {"subject-checksums": "files/SHA256SUMS"},
        IMAGE | {"create-storage-record": False},
        {"subject-path": "files/*.tar.gz", "sbom-path": BILL},
        IMAGE | {"sbom-path": BILL, "create-storage-record": False},
    ],
    ("attested", "actions/download-artifact"): [{"pattern": "release-*", "path": "files", "merge-multiple": True}],
    ("attested", "actions/upload-artifact"): [{"name": "files", "path": "files/*"}],
    ("published", "actions/download-artifact"): [{"name": "files", "path": "files"}],
}
# Every action that a release may be made with. None of them shows it to anybody.
ACTIONS = {
    "actions/attest",
    "actions/checkout",
    "actions/download-artifact",
    "actions/upload-artifact",
    "docker/build-push-action",
    "docker/login-action",
    "docker/setup-buildx-action",
}
# What shows something to people, which is for the last job alone.
PUBLISHES = re.compile(
    r"\bgh release\b|\bgh api\b.*\s(?:-X|-f|-F|--method|--field|--raw-field|--input)\b|\bimagetools create\b"
    r"|\bdocker (?:image )?push\b|--push\b|\b(?:crane|oras|skopeo)\b|\bcurl\b|\b(?:cargo|npm) publish\b|\bgit push\b"
)


def lines(job):
    """Every line that a job runs, with those that go on joined."""
    content = "\n".join(step.get("run", "") for step in job.get("steps", [])).replace("\\\n", " ")
    return [re.sub(r"\s+", " ", line).strip() for line in content.splitlines()]


def promised(root):
    """What a release would be made without."""
    release = yaml.safe_load((root / RELEASE).read_text(encoding="utf-8"))
    jobs = release["jobs"]
    if release.get("defaults") != {"run": {"shell": "bash"}}:
        yield "release.yml: what fails in a pipe is not noticed"
    for name, job in jobs.items():
        steps = job.get("steps", [])
        for part in (job, *steps):
            if {"if", "continue-on-error", "shell"} & part.keys():
                yield f"release.yml: {name} may leave something out, or go on although it failed"
        for step in steps:
            action = step.get("uses", "").partition("@")[0]
            if action and action not in ACTIONS:
                yield f"release.yml: {name} uses {action}, of which nobody has said what it publishes"
            if action == "docker/build-push-action" and {"push", "tags"} & step["with"].keys():
                yield f"release.yml: {name} gives the image a tag before the last job"
            if action == "actions/upload-artifact" and step["with"].get("if-no-files-found") != "error":
                yield f"release.yml: {name} may hand on nothing"
        if name != "published" and any(map(PUBLISHES.search, lines(job))):
            yield f"release.yml: {name} publishes something before the last job"
    yield from (f"release.yml: there is no job {name}" for name in sorted(RUNS.keys() - jobs.keys()))
    for name in RUNS.keys() & jobs.keys():
        yield from whole(name, jobs[name])


def whole(name, job):
    """What a job leaves out, or does with something else."""
    left = iter(lines(job))
    for wanted in RUNS[name]:
        if wanted not in left:
            yield f"release.yml: {name} does not run `{wanted}`, or not in its place"
            break
    for variable, value in ENVIRONMENT.get(name, {}).items():
        if job.get("env", {}).get(variable) != value:
            yield f"release.yml: {variable} of {name} is not {value}"
        if any(variable in step.get("env", {}) for step in job["steps"]):
            yield f"release.yml: {variable} of {name} is another one in a step"
    if name in MATRIX and (job.get("strategy", {}).get("matrix"), job["runs-on"]) != (MATRIX[name], MACHINE):
        yield f"release.yml: {name} leaves out an architecture"
    for (where, action), wanted in SETTINGS.items():
        if where != name:
            continue
        steps = [step["with"] for step in job["steps"] if step.get("uses", "").startswith(f"{action}@")]
        for at, settings in enumerate(wanted):
            if len(steps) != len(wanted) or not settings.items() <= steps[at].items():
                yield f"release.yml: {name} does not use {action} with {settings}"


def step_of(title):
    """A step, by its name, up to the next one."""
    return re.compile(rf"      - name: {title}\n(?:        .*\n)+")


# Faults, as check_release has them.
PLANTED = [
    (RELEASE, step_of("Where the image comes from"), "", "attested does not use actions/attest with {'subject-name'"),
    (RELEASE, step_of("Where the files come from"), "", "actions/attest with {'subject-checksums'"),
    (RELEASE, step_of("What the programs are made of"), "", "actions/attest with {'subject-path'"),
    (RELEASE, step_of("What the image is made of"), "", "actions/attest with {'subject-name'"),
    (RELEASE, "subject-checksums: files/SHA256SUMS", "subject-path: files/compose.yaml", "actions/attest with {'subject-checksums'"),
    (RELEASE, "subject-path: files/*.tar.gz", "subject-path: files/*.json", "actions/attest with {'subject-path'"),
    (RELEASE, "          push-to-registry: true\n", "", "actions/attest with {'subject-name'"),
    (RELEASE, "      - run: .ci/check_image connect-card\n", "", "tried does not run `.ci/check_image connect-card`"),
    (RELEASE, "      - run: .ci/check_compose connect-card\n", "", "tried does not run `.ci/check_compose connect-card`"),
    (RELEASE, ".ci/check_image connect-card", ".ci/check_image connect-card || true", "tried does not run `.ci/check_image connect-card`"),
    (RELEASE, "machine: [ubuntu-24.04, ubuntu-24.04-arm]", "machine: [ubuntu-24.04]", "tried leaves out an architecture"),
    (RELEASE, "      IMAGE: ${{ needs.tag.outputs.image }}@${{ needs.image.outputs.digest }}", "      IMAGE: ${{ needs.tag.outputs.image }}:latest", "IMAGE of tried is not"),
    (RELEASE, re.compile(r"    runs-on: \$\{\{ matrix.machine \}\}\n(?=(?:(?!runs-on).*\n)+?      IMAGE:)"), "    runs-on: ubuntu-24.04\n", "tried leaves out an architecture"),
    (RELEASE, "      - run: .ci/check_image connect-card\n", "      - run: .ci/check_image connect-card\n        env: { IMAGE: alpine }\n", "IMAGE of tried is another one in a step"),
    (RELEASE, "push-by-digest=true", "push-by-digest=false", "image does not use docker/build-push-action"),
    (RELEASE, "platforms: linux/amd64,linux/arm64", "platforms: linux/amd64", "image does not use docker/build-push-action"),
    (RELEASE, "          build-contexts: program=dist\n", "", "image does not use docker/build-push-action"),
    (RELEASE, "          no-cache: true\n", "          no-cache: true\n          tags: ghcr.io/some/name:latest\n", "gives the image a tag before"),
    (RELEASE, "          - { machine: ubuntu-24.04-arm, architecture: arm64, target: aarch64-unknown-linux-musl }\n", "", "linux leaves out an architecture"),
    (RELEASE, step_of("The program needs no library"), "", "linux does not run `readelf"),
    (RELEASE, "if grep -E 'NEEDED|INTERP' headers; then exit 1; fi", "cat headers", "linux does not run `if grep"),
    (RELEASE, "      PROGRAM: dist/${{ matrix.architecture }}/connect-card", "      PROGRAM: /bin/true", "PROGRAM of linux is not"),
    (RELEASE, step_of("One command through the whole bot"), "", "does not run `"),
    (RELEASE, "cargo build --release --locked\n", "cargo build --release\n", "macos does not run `cargo build"),
    (RELEASE, "          sha256sum -- * > SHA256SUMS\n", "          sha256sum -- *.yaml > SHA256SUMS\n", "attested does not run `sha256sum"),
    (RELEASE, "      - run: sha256sum --check SHA256SUMS\n        working-directory: files\n", "", "published does not run `sha256sum --check"),
    (RELEASE, ' | grep -Fx "$DIGEST"', "", "published does not run `docker buildx imagetools inspect"),
    (RELEASE, "--verify-tag ", "", "published does not run `gh release create"),
    (RELEASE, 'tags=$(.ci/release tags "$GITHUB_REF_NAME" "${all[@]}")', 'tags="latest"', "published does not run `tags="),
    (RELEASE, '      - run: docker pull "$IMAGE"\n', '      - run: docker pull "$IMAGE"\n      - run: docker push "$IMAGE"\n', "tried publishes something"),
    (RELEASE, "          cat SHA256SUMS\n", '          cat SHA256SUMS\n          gh release create "$GITHUB_REF_NAME"\n', "attested publishes something"),
    (RELEASE, "        uses: actions/attest@", "        uses: somebody/releases@", "of which nobody has said"),
    (RELEASE, "  tried:\n", "  tried:\n    if: false\n", "tried may leave something out"),
    (RELEASE, "      - run: .ci/check_compose connect-card\n", "      - run: .ci/check_compose connect-card\n        continue-on-error: true\n", "tried may leave something out"),
    (RELEASE, "    shell: bash\n", "    shell: sh\n", "fails in a pipe"),
    (RELEASE, "          if-no-files-found: error\n", "", "may hand on nothing"),
]  # fmt: skip
