// What the crash tests share: a broker with small segments over a directory, and single sends to it.
#pragma once

#include "protocol/names.hpp"
#include "tests/crash/load.hpp"
#include "tests/support/broker_process.hpp"

#include <string>
#include <vector>

namespace holdfast::crash {

// Segments of 1 MiB.
inline testing::broker_options small_broker(const testing::temporary_directory& data,
                                            const std::vector<std::string>& more = {}) {
    testing::broker_options options{.data = data.path(),
                                    .settings = {"--mappedFileSizeCommitLog=1M", "--maxMessageSize=64K",
                                                 "--entryCacheBytes=1M", "--flushConsumerOffsetInterval=10"}};
    options.settings.insert(options.settings.end(), more.begin(), more.end());
    return options;
}

inline load_options load_on(const testing::broker_process& broker, std::uint64_t seed) {
    return {.seed = seed, .broker_port = broker.broker_port(), .name_servers = broker.name_servers()};
}

// One message to a topic that no ledger knows.
inline std::optional<reply> send_probe(std::uint16_t broker_port) {
    wire_client client{broker_port};
    protocol::send_message_request request;
    request.producer_group = "crash-producers";
    request.topic = "probe";
    request.default_topic = protocol::auto_create_topic;
    request.body = as_bytes(std::string_view{"a probe"});
    return client.send(request);
}

} // namespace holdfast::crash
