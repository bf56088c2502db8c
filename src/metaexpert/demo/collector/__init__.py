"""An embedded log collector: speaks Loki push and Elasticsearch bulk on loopback, in a process of its own.

It validates as the real servers do, keeps what it stored by entry id, and fails when told to.
Start it with `python -m metaexpert.demo.collector`, or from Python with
`metaexpert.demo.collector_process.CollectorProcess`.
"""
