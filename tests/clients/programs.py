"""The clients that are programs in a language: an example, and a program that prints all answers."""

from functools import partial
from pathlib import Path

from clients.builds import (
    CACHE,
    EXAMPLES,
    PROGRAMS,
    PROGRAMS_BUILT,
    PROTO_FILES,
    ROOT,
    Command,
    build,
    generated_python,
    go_environment,
    once,
    protoc,
    require,
    run,
    virtual_environment,
)
from clients.client import Client

_MAVEN = ("mvn", "-B", "-q", "-ntp", "-Dstyle.color=never")
_NODE_EXAMPLE = EXAMPLES / "node"
_CARGO_TARGET = CACHE / "target"


def go() -> Client:
    """The generated code of protoc-gen-go and protoc-gen-go-grpc."""
    environment = go_environment()
    build(["go", "install", "tool"], EXAMPLES / "go", **environment)
    build(["go", "generate", "./..."], EXAMPLES / "go", **environment)
    build(["go", "build", "-o", PROGRAMS_BUILT / "go-example", "."], EXAMPLES / "go")
    build(["go", "build", "-o", PROGRAMS_BUILT / "go-answers", "."], PROGRAMS / "go")
    return Client(
        lambda address, asked: run([PROGRAMS_BUILT / "go-answers", address, asked]).splitlines(),
        lambda address: [PROGRAMS_BUILT / "go-example", address],
    )


def node() -> Client:
    """@grpc/grpc-js, and @grpc/proto-loader, which reads proto/ when the program starts."""
    require("node", "Node.js 20 or later, from the package nodejs")
    require("npm", "npm, from the package npm")
    modules = _NODE_EXAMPLE / "node_modules"
    npm_ci = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    lock = _NODE_EXAMPLE / "package-lock.json"
    once(modules / ".built", [lock], lambda: build(npm_ci, _NODE_EXAMPLE))
    answers: Command = ["node", PROGRAMS / "node" / "answers.js"]
    environment = {"NODE_PATH": str(modules)}
    return Client(
        lambda address, asked: run([*answers, address, asked], environment=environment).splitlines(),
        lambda address: ["node", _NODE_EXAMPLE / "report.js", address],
    )


def python_protobuf6() -> Client:
    """grpcio with protobuf 6."""
    return _python("python-protobuf6", "client-protobuf6.txt")


def python_protobuf7() -> Client:
    """grpcio with protobuf 7."""
    return _python("python-protobuf7", "client-protobuf7.txt")


def java() -> Client:
    """grpc-java and protobuf-java."""
    require("mvn", "Maven and a JDK of version 17 or later, from the packages maven and openjdk-17-jdk")
    example, answers = EXAMPLES / "java", PROGRAMS / "java"
    for directory in (example, answers):
        inputs = [*PROTO_FILES, directory / "pom.xml", *sorted(directory.glob("src/**/*.java"))]
        once(directory / "target" / "built", inputs, partial(build, [*_MAVEN, "clean", "compile"], directory))

    def answers_of(address: str, asked: Path) -> list[str]:
        arguments = f"-Dexec.args={address} {asked}"
        return run([*_MAVEN, "exec:java", arguments], answers).splitlines()

    def example_of(address: str) -> list[str]:
        return [*_MAVEN, "-f", str(example / "pom.xml"), "exec:java", f"-Dexec.args={address}"]

    return Client(answers_of, example_of)


def rust() -> Client:
    """tonic and prost."""
    require("cargo", "Rust")
    environment = {"PROTOC": str(protoc()), "CARGO_TARGET_DIR": str(_CARGO_TARGET)}
    for directory in (EXAMPLES / "rust", PROGRAMS / "rust"):
        build(["cargo", "build", "--quiet", "--locked"], directory, **environment)
    programs = _CARGO_TARGET / "debug"
    return Client(
        lambda address, asked: run([programs / "pegcount-clients", address, asked]).splitlines(),
        lambda address: [programs / "pegcount-example", address],
    )


def _python(name: str, requirements: str) -> Client:
    python = virtual_environment(name, ROOT / "requirements" / requirements)
    environment = {"PYTHONPATH": str(generated_python(name))}
    answers = [python, PROGRAMS / "python" / "answers.py"]
    return Client(
        lambda address, asked: run([*answers, address, asked], environment=environment).splitlines(),
        lambda address: [python, EXAMPLES / "python" / "report.py", address],
        environment,
    )
