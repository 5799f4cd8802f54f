// Everything that can be set on one node, typed, with its default.
//
// Plain data: read once at start, then handed down by const reference. How it is read (files, command line,
// the names RocketMQ gave the keys, what is refused) is in config/load.hpp; what each setting means, its
// limits and its key in config/settings.hpp, from which `holdfast help config` is printed. The comment behind
// each member here is only its key.
#pragma once

#include "base/ids.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::config {

// What must have happened before a send is answered OK: see flushDiskType.
enum class flush_type : std::uint8_t { sync, async };

enum class log_level : std::uint8_t { trace, debug, info, warning, error, off };

// Faults to inject at the seam to the disk, for tests of the real binary only: see faultInjection.
struct fault_injection {
    std::optional<std::uint64_t>
        sync_fail_after;      // sync:fail-after=N   flushes succeed N times, then fail for good
    bool sync_ignore = false; // sync:ignore         flushes do nothing and report success
    std::optional<std::uint64_t>
        write_fail_after;    // write:fail-after=N  writes succeed N times, then fail for good
    bool space_full = false; // space:full          the disk reports no free space

    [[nodiscard]] bool any() const {
        return sync_fail_after.has_value() || sync_ignore || write_fail_after.has_value() || space_full;
    }
    friend bool operator==(const fault_injection&, const fault_injection&) = default;
};

// A node of the replica group: where its clusterPort is reached.
struct peer_address {
    std::string name;
    std::string host; // an IPv4 address or a DNS name
    std::uint16_t port = 0;
    friend bool operator==(const peer_address&, const peer_address&) = default;
};

struct node_config {
    // Names.
    std::string cluster_name = "DefaultCluster"; // brokerClusterName
    std::string broker_name = "broker-a";        // brokerName
    std::uint32_t broker_id = 0;                 // brokerId
    std::string node_name;                       // nodeName; after load() never empty
    std::string region_id = "DefaultRegion";     // regionId

    // Addresses.
    std::string bind_address = "127.0.0.1"; // bindAddress
    std::string advertised_address;         // brokerIP1; after load() never empty
    std::uint16_t listen_port = 10911;      // listenPort; 0 = any free port (tests)
    std::uint16_t namesrv_port = 9876;      // namesrvPort; 0 = any free port (tests)

    // Replication.
    std::vector<peer_address> peers;                     // peers; after load() without this node itself
    std::uint16_t cluster_port = 10912;                  // clusterPort; 0 = any free port (tests)
    std::string cluster_bind_address;                    // clusterBindAddress; after load() never empty
    std::filesystem::path cluster_tls_cert;              // clusterTlsCert; all three or none
    std::filesystem::path cluster_tls_key;               // clusterTlsKey
    std::filesystem::path cluster_tls_ca;                // clusterTlsCa
    bool cluster_insecure = false;                       // clusterInsecure
    std::chrono::milliseconds election_timeout{1'000};   // electionTimeout
    std::chrono::milliseconds heartbeat_interval{100};   // heartbeatInterval
    std::uint64_t replication_window_bytes = 16U << 20U; // replicationWindowBytes; per follower
    std::uint64_t catch_up_bytes_per_s = 32U << 20U;     // catchUpBytesPerSecond

    // Data on disk.
    std::filesystem::path store_path = "./data";          // storePathRootDir
    flush_type flush = flush_type::sync;                  // flushDiskType
    std::chrono::milliseconds flush_interval{500};        // flushIntervalCommitLog
    std::uint64_t segment_bytes = 1ULL << 30U;            // mappedFileSizeCommitLog
    std::uint32_t disk_max_used_percent = 90;             // diskMaxUsedSpaceRatio
    std::chrono::hours retention{72};                     // fileReservedTime
    std::vector<std::uint32_t> delete_at_hours{4};        // deleteWhen; hours of the local day, 0-23
    std::chrono::milliseconds checkpoint_interval{5'000}; // checkpointInterval
    std::uint64_t checkpoint_bytes = 256ULL << 20U;       // checkpointBytes
    std::uint64_t entry_cache_bytes = 64ULL << 20U;       // entryCacheBytes
    std::optional<log_position> accept_data_loss;         // acceptDataLoss
    fault_injection faults;                               // faultInjection

    // Topics, groups and messages.
    std::uint32_t max_message_bytes = 4U << 20U;          // maxMessageSize; of one message's body
    std::uint32_t default_topic_queues = 8;               // defaultTopicQueueNums
    bool auto_create_topics = true;                       // autoCreateTopicEnable
    bool auto_create_groups = true;                       // autoCreateSubscriptionGroup
    bool cluster_topic = true;                            // clusterTopicEnable
    bool broker_topic = true;                             // brokerTopicEnable
    std::uint32_t broker_permission = 6;                  // brokerPermission; 2 = write, 4 = read, 6 = both
    bool trace_topic = false;                             // traceTopicEnable
    std::string trace_topic_name = "RMQ_SYS_TRACE_TOPIC"; // msgTraceTopicName
    bool trace_on = true;                                 // traceOn

    // Consuming.
    bool long_polling = true;                                // longPollingEnable
    std::chrono::milliseconds short_polling_time{1'000};     // shortPollingTimeMills
    std::uint32_t max_pull_bytes = 256U << 10U;              // maxTransferBytesOnMessageInMemory
    std::uint32_t max_pull_messages = 1'024;                 // maxTransferCountOnMessageInMemory
    std::uint32_t max_query_messages = 32;                   // defaultQueryMaxNum
    bool notify_consumer_changes = true;                     // notifyConsumerIdsChangedEnable
    bool follower_reads = false;                             // slaveReadEnable
    std::chrono::milliseconds offset_commit_interval{1'000}; // flushConsumerOffsetInterval
    std::chrono::milliseconds lock_life{60'000};             // rebalanceLockMaxLiveTime

    // Delays and transactions.
    std::vector<std::chrono::seconds> delay_levels{
        std::chrono::seconds{1}, std::chrono::seconds{5},  std::chrono::seconds{10}, std::chrono::seconds{30},
        std::chrono::minutes{1}, std::chrono::minutes{2},  std::chrono::minutes{3},  std::chrono::minutes{4},
        std::chrono::minutes{5}, std::chrono::minutes{6},  std::chrono::minutes{7},  std::chrono::minutes{8},
        std::chrono::minutes{9}, std::chrono::minutes{10}, std::chrono::minutes{20}, std::chrono::minutes{30},
        std::chrono::hours{1},   std::chrono::hours{2},
    };                                                            // messageDelayLevel; level n at [n - 1]
    bool reject_transactions = false;                             // rejectTransactionMessage
    std::chrono::milliseconds transaction_timeout{6'000};         // transactionTimeOut
    std::chrono::milliseconds transaction_check_interval{30'000}; // transactionCheckInterval
    std::uint32_t transaction_check_max = 15;                     // transactionCheckMax

    // Threads.
    std::uint32_t io_threads = 1;     // ioThreads
    std::uint32_t worker_threads = 0; // workerThreads; 0 = one per core
    std::uint32_t reader_threads = 2; // readerThreads

    // Limits against clients that ask for too much (network/limits.hpp is filled from these).
    std::uint32_t max_connections = 10'000;            // maxConnections
    std::uint32_t max_connections_per_address = 0;     // maxConnectionsPerAddress; 0 = no own limit
    std::uint32_t max_requests_in_flight = 8'192;      // maxRequestsInFlight; per connection
    std::uint64_t max_bytes_in_flight = 128ULL << 20U; // maxBytesInFlight; sends, all connections
    std::uint64_t max_incoming_bytes = 256ULL << 20U;  // maxIncomingBytes; unfinished frames, all connections
    std::uint64_t max_outgoing_bytes = 32ULL << 20U;   // maxOutgoingBytes; per connection
    std::chrono::milliseconds slow_reader_timeout{10'000}; // slowReaderTimeout
    std::chrono::milliseconds slow_frame_timeout{30'000};  // slowFrameTimeout
    std::chrono::seconds idle_timeout{120};                // serverChannelMaxIdleTimeSeconds

    // What it says.
    log_level level = log_level::info; // logLevel
    std::filesystem::path log_file;    // logFile; empty = standard error
};

} // namespace holdfast::config
