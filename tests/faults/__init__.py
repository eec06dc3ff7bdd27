"""Real servers, broken as servers break.

| fault                                            | tried in                                                       |
|--------------------------------------------------|----------------------------------------------------------------|
| the mail server is away, silent, refuses         | tests/mail: test_failures, test_refusals, test_smtp            |
| killed at each step, and at random               | test_crash_requests, test_crash_links, test_crash_worker,      |
|                                                  | test_kills; tests/mail/test_kills                              |
| many mail workers, frozen and killed ones        | test_frozen_worker; tests/mail/test_leases                     |
| Redis                                            | test_redis, test_tls                                           |
| PostgreSQL, a lost answer to COMMIT, PgBouncer   | test_postgresql, test_tls, test_pgbouncer                      |
| deadlocks, serialisation failures                | test_transaction_conflicts; tests/storage/test_database        |
| SQLite's lock, disk and file                     | test_busy_database, test_full_disk, test_full_disk_postgresql, |
|                                                  | test_lost_database; tests/test_instance_dir                    |
| clocks                                           | test_clocks, test_clocks_of_portals                            |
| migrations                                       | test_migrations; tests/storage: test_migrations, test_expansion|
| keys                                             | test_two_portals; tests/web: test_secret_key, test_forgery     |
| the end of a process                             | test_stop_during_delivery; tests/deploy/test_nginx;            |
|                                                  | tests/server/test_ending; tests/cli: test_serve, test_worker   |
| descriptors, connections, slow visitors, memory  | test_descriptors, test_memory; tests/web/test_served;          |
|                                                  | tests/server: test_hostile_clients, test_open_files            |
| emails that cannot be rendered, a queue, old ones| test_mail_queue; tests/mail/test_failures;                     |
|                                                  | tests/domain/operations/test_mail_delivery                     |
| requests that are sent twice                     | test_retries; tests/web/test_races                             |
| yesterday's backup                               | tests/web/test_restore; tests/cli/test_backup                  |
| host names                                       | test_dns; tests/domain/test_organisation_by_host               |
| the log                                          | test_blocked_log; tests: test_logging_{setup,processes}        |
| slow queries                                     | test_slow_queries, test_query_plans                            |
| a customer deleted meanwhile                     | test_deletion_meanwhile                                        |
| wrong settings                                   | test_configuration; tests/settings, tests/cli/test_check       |
"""
