export PYTHONPATH=/tmp/core/python
PY=/work/main/.venv/bin/python
