# The service in one image for each kind of hardware; the api and the workers are two commands of it.
#
#   docker build --target cpu  -t affidavit:cpu  --build-arg TORCH_INDEX=<index with CPU builds> .
#   docker build --target cuda -t affidavit:cuda .
#
# Packages are those of locks/, exactly. BASE may be given with a digest for a build that repeats.
ARG BASE=python:3.11-slim-bookworm

# What the service needs, in a folder that is copied as a whole.
FROM ${BASE} AS build
# hadolint ignore=DL3008
RUN apt-get update -q && apt-get install -yq --no-install-recommends binutils \
 && rm -rf /var/lib/apt/lists/*
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /src
COPY pyproject.toml ./
COPY locks locks
# Names from pyproject.toml, versions from the lock; the project itself comes last, as it changes most.
RUN python -m venv /opt/affidavit \
 && grep -E '^(hatchling|pathspec|pluggy|packaging|trove-classifiers)==' locks/cuda.txt > building.txt \
 && python -m pip install -q -r building.txt \
 && python -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
e = p["optional-dependencies"]; \
print(*(d for d in p["dependencies"] + e["models"] + e["service"] if "affidavit" not in d), sep="\n")' \
    > needed.txt

FROM build AS build-cpu
ARG TORCH_INDEX=
RUN grep '^torch==' locks/cpu.txt > torch.txt \
 && /opt/affidavit/bin/pip install -q ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} \
      -c locks/cpu.txt -r torch.txt \
 && { /opt/affidavit/bin/python -c 'import sys, torch; sys.exit(torch.version.cuda is not None)' \
      || echo "hint: this is the CUDA build of torch; --build-arg TORCH_INDEX=... gives the small one"; } \
 && /opt/affidavit/bin/pip install -q -c locks/cpu.txt -r needed.txt

FROM build AS build-cuda
RUN grep '^torch==' locks/cuda.txt > torch.txt \
 && /opt/affidavit/bin/pip install -q -c locks/cuda.txt -r torch.txt \
 && /opt/affidavit/bin/pip install -q -c locks/cuda.txt -r needed.txt

# The networks' weights, by digest, as `make setup` takes them. Cheap to repeat, so after torch.
FROM build-cpu AS weights
COPY certify certify
COPY models models
RUN /opt/affidavit/bin/python -m models.fetch --into /weights

FROM build-cpu AS installed-cpu
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY README.md ./
COPY certify certify
COPY models models
COPY service service
# What serves nobody at run time goes: tests, headers, compilers, symbols for debuggers, pip.
RUN python -m pip wheel -q --no-deps --no-build-isolation -w wheel . \
 && /opt/affidavit/bin/pip install -q --no-deps wheel/*.whl \
 && /opt/affidavit/bin/pip uninstall -q -y setuptools pip \
 && packages=$(echo /opt/affidavit/lib/python3*/site-packages) \
 && rm -rf "$packages"/torch/{test,include,bin/protoc*,bin/*Test,bin/test_*} \
 && find "$packages"/{numpy,scipy,sympy,networkx,mpmath} -type d -name tests -prune -exec rm -rf {} + \
 && strip --strip-unneeded "$packages/torch/lib/libtorch_cpu.so" \
 && /opt/affidavit/bin/python -c 'import torch, scipy, flint, service.cli; torch.rand(8, 3) @ torch.rand(3, 8)'

FROM build-cuda AS installed-cuda
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY README.md ./
COPY certify certify
COPY models models
COPY service service
RUN python -m pip wheel -q --no-deps --no-build-isolation -w wheel . \
 && /opt/affidavit/bin/pip install -q --no-deps wheel/*.whl \
 && /opt/affidavit/bin/pip uninstall -q -y setuptools pip \
 && packages=$(echo /opt/affidavit/lib/python3*/site-packages) \
 && rm -rf "$packages"/torch/test "$packages"/torch/include \
 && find "$packages"/{numpy,scipy,sympy,networkx,mpmath} -type d -name tests -prune -exec rm -rf {} +

# What runs: nobody in particular, on a root that may be read-only, with one folder of its own.
FROM ${BASE} AS runtime
RUN groupadd --gid 10001 affidavit \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/affidavit \
      --shell /usr/sbin/nologin affidavit \
 && install -d -o affidavit -g affidavit -m 0700 \
      /var/lib/affidavit /run/affidavit /run/secrets
ENV PATH=/opt/affidavit/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    AFFIDAVIT_HOST=0.0.0.0 AFFIDAVIT_WEIGHTS=/opt/weights
COPY --from=weights /weights /opt/weights
WORKDIR /var/lib/affidavit
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=8s --start-period=120s --retries=3 \
  CMD ["python", "-m", "service.probe"]
ENTRYPOINT ["affidavit"]
CMD ["serve"]

FROM runtime AS cuda
# Triton builds a launcher for each kernel when it is first used, and asks for a C compiler.
USER 0:0
# hadolint ignore=DL3008
RUN apt-get update -q && apt-get install -yq --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
USER 10001:10001
# The driver comes from the host; CUDA's libraries came with torch.
ENV AFFIDAVIT_DEVICE=cuda TRITON_CACHE_DIR=/var/lib/affidavit/.triton \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=installed-cuda /opt/affidavit /opt/affidavit

FROM runtime AS cpu
ENV AFFIDAVIT_DEVICE=cpu
COPY --from=installed-cpu /opt/affidavit /opt/affidavit
