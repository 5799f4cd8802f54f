#include "config/settings.hpp"

#include "config/parse_value.hpp"
#include "config/setting_types.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

namespace holdfast::config {

namespace {

constexpr std::string_view names = "Names";
constexpr std::string_view addresses = "Addresses";
constexpr std::string_view cluster = "Replication";
constexpr std::string_view storage = "Data on disk";
constexpr std::string_view messages = "Topics, groups and messages";
constexpr std::string_view consuming = "Consuming";
constexpr std::string_view delays = "Delays and transactions";
constexpr std::string_view threads = "Threads";
constexpr std::string_view bounds = "Limits";
constexpr std::string_view logging = "Logging";
constexpr std::string_view tests_only = "For tests only";

using config = node_config;
constexpr std::uint64_t kib = 1ULL << 10U;
constexpr std::uint64_t mib = 1ULL << 20U;
constexpr std::uint64_t gib = 1ULL << 30U;
constexpr std::uint64_t day_ms = 86'400'000;

void add_names_and_addresses(std::vector<setting>& table) {
    table.insert(
        table.end(),
        {
            name({names, "brokerClusterName", "The cluster that routes name."}, &config::cluster_name),
            name({names, "brokerName",
                  "The broker group. Clients address queues as topic, brokerName, queue id."},
                 &config::broker_name),
            number({names, "brokerId", "The id in routes. Only 0, the master, is offered."},
                   &config::broker_id, 0, 0),
            name({names, "nodeName",
                  "This node's own name among its replicas. Default: brokerName, but it must be given with "
                  "peers."},
                 &config::node_name),
            name({names, "regionId",
                  "Stored with every message and told to clients, which put it into traces."},
                 &config::region_id),
            ipv4(
                {addresses, "bindAddress",
                 "The address to listen on; 0.0.0.0 for all. There is no access control: bind to others than "
                 "127.0.0.1 only inside a network you trust."},
                &config::bind_address),
            number({addresses, "listenPort", "The broker's port; 0 takes any free one."},
                   &config::listen_port, 0, 65'535),
            number(
                {addresses, "namesrvPort",
                 "The name service's port; 0 takes any free one. Must differ from listenPort: a Java client "
                 "would share one connection for both, and lose both when one answer is late."},
                &config::namesrv_port, 0, 65'535),
            ipv4({addresses, "brokerIP1",
                  "The address that routes advertise, where it is not the one to listen on. Default: "
                  "bindAddress (127.0.0.1 when that is 0.0.0.0)."},
                 &config::advertised_address),
        });
}

void add_cluster(std::vector<setting>& table) {
    table.insert(
        table.end(),
        {
            list(
                {cluster, "peers",
                 "The nodes that keep a copy of everything; this one may be among them. Answered OK means on "
                 "disk at a majority of them. 3, 5 or 7 nodes, this one included; the same list on every "
                 "node. Default: none, this node is alone. Needs nodeName."},
                &config::peers, "name@host:port, separated by ',', such as a@10.0.0.1:10912,b@10.0.0.2:10912",
                parse_peers, show_peers),
            number(
                {cluster, "clusterPort", "The port that the other nodes connect to; 0 takes any free one."},
                &config::cluster_port, 0, 65'535),
            ipv4({cluster, "clusterBindAddress",
                  "The address of clusterPort. Default: bindAddress. With other than loopback addresses "
                  "here or in peers, TLS or clusterInsecure is demanded."},
                 &config::cluster_bind_address),
            path(
                {cluster, "clusterTlsCert",
                 "This node's certificate (PEM), for mutual TLS among the nodes: `holdfast cert` makes one."},
                &config::cluster_tls_cert),
            path({cluster, "clusterTlsKey", "Its private key (PEM)."}, &config::cluster_tls_key),
            path({cluster, "clusterTlsCa",
                  "The certificate (PEM) of the authority that must have signed the other nodes' "
                  "certificates."},
                 &config::cluster_tls_ca),
            flag({cluster, "clusterInsecure",
                  "Allows clusterPort without TLS beyond loopback. Whoever reaches that port can then read "
                  "and change every message."},
                 &config::cluster_insecure),
            duration({cluster, "electionTimeout",
                      "Milliseconds without a word from the leader after which another one is elected, and "
                      "after which a leader without a majority stops."},
                     &config::election_timeout, 100, 60'000),
            duration({cluster, "heartbeatInterval",
                      "Milliseconds between a leader's signs of life; less than a third of electionTimeout."},
                     &config::heartbeat_interval, 1, 20'000),
            bytes({cluster, "replicationWindowBytes",
                   "Bytes of log on their way to one follower and not acknowledged by it yet; the leader "
                   "holds no more for it, however slow it is."},
                  &config::replication_window_bytes, mib, gib),
            bytes({cluster, "catchUpBytesPerSecond",
                   "While clients send, nodes that are far behind catch up by so many bytes a second more "
                   "than the log grows; more is faster, and costs the clients latency. While nobody sends "
                   "there is no limit."},
                  &config::catch_up_bytes_per_s, mib, 64 * gib),
        });
}

void add_storage(std::vector<setting>& table) {
    table.insert(
        table.end(),
        {
            path({storage, "storePathRootDir", "Where everything is kept. One process at a time."},
                 &config::store_path),
            choice(
                {storage, "flushDiskType",
                 "SYNC_FLUSH: a send is answered OK after its bytes are on disk. ASYNC_FLUSH: after they are "
                 "written; a power cut can lose up to flushIntervalCommitLog of answered sends."},
                &config::flush, std::array<std::string_view, 2>{"SYNC_FLUSH", "ASYNC_FLUSH"}),
            duration({storage, "flushIntervalCommitLog",
                      "With ASYNC_FLUSH: milliseconds between flushes. SYNC_FLUSH never waits."},
                     &config::flush_interval, 1, 60'000),
            bytes(
                {storage, "mappedFileSizeCommitLog",
                 "Size of a segment file of the log. Must hold the largest message. A change counts from the "
                 "next segment on."},
                &config::segment_bytes, 128 * kib, 16 * gib, 4 * kib),
            number({storage, "diskMaxUsedSpaceRatio",
                    "Percent of the disk in use above which sends are refused; reads go on. (RocketMQ "
                    "deletes at "
                    "75 and refuses at 90; nothing is deleted here but by fileReservedTime, so ours is 90.)"},
                   &config::disk_max_used_percent, 10, 99),
            duration(
                {storage, "fileReservedTime",
                 "Hours that messages are kept. What is still to be delivered, such as a delayed message, "
                 "is kept for longer."},
                &config::retention, 1, 87'600),
            list({storage, "deleteWhen", "Hours of the day (local time) at which old segments are deleted."},
                 &config::delete_at_hours, "hours from 00 to 23, separated by ';'", parse_hours, show_hours),
            duration({storage, "checkpointInterval",
                      "Milliseconds between checkpoints of the derived index. A shorter time makes restarts "
                      "after a crash faster; nothing is lost either way."},
                     &config::checkpoint_interval, 100, 3'600'000),
            bytes({storage, "checkpointBytes", "Bytes of log after which a checkpoint is made early."},
                  &config::checkpoint_bytes, mib, 64 * gib),
            bytes({storage, "entryCacheBytes",
                   "Memory for the newest part of the log, from which most pulls are "
                   "answered."},
                  &config::entry_cache_bytes, mib, 64 * gib),
            row(
                {storage, "acceptDataLoss",
                 "An operator's word, for a log with damage in its middle that no other replica can repair: "
                 "the "
                 "position that the error message named. Messages behind it are given up. Ignored for any "
                 "other "
                 "position, so a forgotten line does no harm."},
                &config::accept_data_loss, "the log position that the error message named",
                [](std::string_view text) -> std::optional<std::optional<log_position>> {
                    const auto position = parse_number(text);
                    if (!position)
                        return std::nullopt;
                    return std::optional<log_position>{log_position{*position}};
                },
                [](const std::optional<log_position>& value) {
                    return value ? std::to_string(value->value()) : std::string{};
                }),
        });
}

void add_messages(std::vector<setting>& table) {
    table.insert(
        table.end(),
        {
            bytes({messages, "maxMessageSize", "The longest body of one message (or of one batch) accepted."},
                  &config::max_message_bytes, kib, 15 * mib),
            number({messages, "defaultTopicQueueNums",
                    "Queues offered for a topic that is created by its first "
                    "send; clients take at most their own 4."},
                   &config::default_topic_queues, 1, 1'024),
            flag({messages, "autoCreateTopicEnable",
                  "Whether the first send to an unknown topic creates it. Turn it off where a misspelt name "
                  "must "
                  "not make a topic."},
                 &config::auto_create_topics),
            flag({messages, "autoCreateSubscriptionGroup",
                  "Whether a group is created by its first consumer."},
                 &config::auto_create_groups),
            flag({messages, "clusterTopicEnable", "Whether a topic named after the cluster exists."},
                 &config::cluster_topic),
            flag({messages, "brokerTopicEnable", "Whether a topic named after the broker exists."},
                 &config::broker_topic),
            row(
                {messages, "brokerPermission",
                 "What clients may do here: 6 read and write, 4 only read, 2 only "
                 "write."},
                &config::broker_permission, "2, 4 or 6",
                [](std::string_view text) -> std::optional<std::uint32_t> {
                    const auto value = parse_number(text);
                    if (!value || (*value != 2 && *value != 4 && *value != 6))
                        return std::nullopt;
                    return static_cast<std::uint32_t>(*value);
                },
                [](std::uint32_t value) { return std::to_string(value); }),
            flag({messages, "traceTopicEnable",
                  "Whether the topic for clients' traces exists from the start."},
                 &config::trace_topic),
            name({messages, "msgTraceTopicName", "Its name."}, &config::trace_topic_name),
            flag({messages, "traceOn", "Whether send answers tell clients to write traces."},
                 &config::trace_on),
        });
}

void add_consuming(std::vector<setting>& table) {
    table.insert(
        table.end(),
        {
            flag({consuming, "longPollingEnable",
                  "Whether a pull that finds nothing waits for the time the client asked for, instead of "
                  "shortPollingTimeMills."},
                 &config::long_polling),
            duration(
                {consuming, "shortPollingTimeMills", "Milliseconds a pull waits without longPollingEnable."},
                &config::short_polling_time, 1, 30'000),
            bytes({consuming, "maxTransferBytesOnMessageInMemory",
                   "Bytes of messages in one pull's answer, which has at least one message however large."},
                  &config::max_pull_bytes, kib, 8 * mib),
            number({consuming, "maxTransferCountOnMessageInMemory",
                    "Messages in one pull's answer, if the client asks for that many. (RocketMQ's 32 makes "
                    "clients that ask for more wait.)"},
                   &config::max_pull_messages, 1, 65'536),
            number({consuming, "defaultQueryMaxNum", "Messages that a query by key answers at most."},
                   &config::max_query_messages, 1, 1'024),
            flag({consuming, "notifyConsumerIdsChangedEnable",
                  "Whether members of a group are told at once when another joins or leaves."},
                 &config::notify_consumer_changes),
            flag({consuming, "slaveReadEnable",
                  "With peers: whether consumers that are further behind than entryCacheBytes are sent to a "
                  "follower, and this node serves them while it follows. The same on every node."},
                 &config::follower_reads),
            duration(
                {consuming, "flushConsumerOffsetInterval",
                 "Milliseconds a consumer's committed offset may wait before it is written to the log; a "
                 "crash delivers what was consumed meanwhile once more."},
                &config::offset_commit_interval, 1, 60'000),
            duration({consuming, "rebalanceLockMaxLiveTime",
                      "Milliseconds an orderly consumer keeps a queue after it last asked for its lock; then "
                      "another may have it. Longer than clients rely on a lock: 30 s. (RocketMQ: "
                      "rocketmq.broker.rebalance.lockMaxLiveTime.)"},
                     &config::lock_life, 1'000, day_ms),
            list({delays, "messageDelayLevel",
                  "The delays behind levels 1, 2, ...; s, m, h and d are seconds, minutes, hours, days."},
                 &config::delay_levels, "1 to 64 times such as 1s 5m 2h, separated by blanks",
                 parse_delay_levels, show_delay_levels),
            flag({delays, "rejectTransactionMessage", "Whether transactional sends are refused."},
                 &config::reject_transactions),
            duration({delays, "transactionTimeOut",
                      "Milliseconds after which a half message's producer is asked for its decision."},
                     &config::transaction_timeout, 100, day_ms),
            duration({delays, "transactionCheckInterval",
                      "Milliseconds between two rounds of asking. (30 s as in RocketMQ 5; 4.9 has 60 s.)"},
                     &config::transaction_check_interval, 100, day_ms),
            number({delays, "transactionCheckMax",
                    "How often a producer is asked before the half message is set aside for an operator."},
                   &config::transaction_check_max, 1, 1'000),
        });
}

void add_limits_and_logging(std::vector<setting>& table) {
    table.insert(
        table.end(),
        {
            number({threads, "ioThreads", "Threads that read and write sockets."}, &config::io_threads, 1,
                   64),
            number({threads, "workerThreads", "Threads that run the actors; 0 = one per core."},
                   &config::worker_threads, 0, 256),
            number({threads, "readerThreads", "Threads that read old messages from disk."},
                   &config::reader_threads, 1, 64),
            number({bounds, "maxConnections", "Connections, all ports together; more are closed at once."},
                   &config::max_connections, 1, 1'000'000),
            number({bounds, "maxConnectionsPerAddress", "The same for one client address; 0 = no own limit."},
                   &config::max_connections_per_address, 0, 1'000'000),
            number({bounds, "maxRequestsInFlight",
                    "Unanswered requests of one connection, held pulls aside; above it nothing more is read "
                    "from "
                    "it."},
                   &config::max_requests_in_flight, 1, 1'000'000),
            bytes({bounds, "maxBytesInFlight",
                   "Bytes of accepted and unanswered sends, all connections together; above it sends are "
                   "refused with code 14 and [REJECTREQUEST], for the client to try again."},
                  &config::max_bytes_in_flight, 16 * mib, 64 * gib),
            bytes({bounds, "maxIncomingBytes",
                   "Memory for requests that have arrived in part, all connections together; the connection "
                   "that would exceed it is closed."},
                  &config::max_incoming_bytes, 16 * mib, 64 * gib),
            bytes({bounds, "maxOutgoingBytes",
                   "Answers that one connection has not yet fetched. It is closed after slowReaderTimeout "
                   "above "
                   "this, and at once above double. From a quarter on nothing more is read from it."},
                  &config::max_outgoing_bytes, 17 * mib, 4 * gib),
            duration({bounds, "slowReaderTimeout", "Milliseconds for maxOutgoingBytes."},
                     &config::slow_reader_timeout, 10, day_ms),
            duration(
                {bounds, "slowFrameTimeout",
                 "Milliseconds from the first to the last byte of a request; a slower connection is closed."},
                &config::slow_frame_timeout, 10, day_ms),
            duration({bounds, "serverChannelMaxIdleTimeSeconds",
                      "Seconds without a byte in either direction after which a connection is closed."},
                     &config::idle_timeout, 1, 86'400),
            choice({logging, "logLevel", "How much is logged."}, &config::level,
                   std::array<std::string_view, 6>{"trace", "debug", "info", "warning", "error", "off"}),
            path({logging, "logFile", "Where to; it is appended to. Default: standard error."},
                 &config::log_file),
            row({tests_only, "faultInjection",
                 "Makes the disk fail on purpose, to see that nothing is answered OK then. Never set it "
                 "where "
                 "messages matter."},
                &config::faults,
                "sync:fail-after=N, sync:ignore, write:fail-after=N or space:full, separated by ','",
                parse_faults, show_faults),
        });
}

std::vector<setting> make_table() {
    std::vector<setting> table;
    add_names_and_addresses(table);
    add_cluster(table);
    add_storage(table);
    add_messages(table);
    add_consuming(table);
    add_limits_and_logging(table);
    return table;
}

// Levenshtein distance without regard to case: how many letters to insert, delete or replace.
std::size_t distance(std::string_view left, std::string_view right) {
    const auto letter = [](char each) { return std::tolower(static_cast<unsigned char>(each)); };
    std::vector<std::size_t> row_above(right.size() + 1);
    for (std::size_t column = 0; column <= right.size(); ++column)
        row_above[column] = column;
    for (std::size_t line = 1; line <= left.size(); ++line) {
        std::size_t diagonal = row_above[0];
        row_above[0] = line;
        for (std::size_t column = 1; column <= right.size(); ++column) {
            const auto replaced = diagonal + (letter(left[line - 1]) == letter(right[column - 1]) ? 0 : 1);
            diagonal = row_above[column];
            row_above[column] = std::min({replaced, diagonal + 1, row_above[column - 1] + 1});
        }
    }
    return row_above[right.size()];
}

} // namespace

std::span<const setting> all_settings() {
    static const std::vector<setting> table = make_table();
    return table;
}

const setting* find_setting(std::string_view key) {
    if (key == "mapedFileSizeCommitLog") // as RocketMQ spelt it before 5.0
        key = "mappedFileSizeCommitLog";
    const auto table = all_settings();
    const auto found =
        std::find_if(table.begin(), table.end(), [&](const setting& each) { return each.key == key; });
    return found == table.end() ? nullptr : &*found;
}

std::string_view nearest_key(std::string_view misspelt) {
    constexpr std::size_t longest_key = 64; // longer words are no misspelling; bounds the work
    if (misspelt.size() > longest_key)
        return {};
    std::string_view nearest;
    auto least = std::max<std::size_t>(2, misspelt.size() / 4) + 1;
    for (const auto& each : all_settings())
        if (const auto steps = distance(misspelt, each.key); steps < least) {
            least = steps;
            nearest = each.key;
        }
    return nearest;
}

} // namespace holdfast::config
