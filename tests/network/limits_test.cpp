#include "network/limits.hpp"

#include "config/node_config.hpp"
#include "protocol/limits.hpp"

#include <gtest/gtest.h>

namespace holdfast::network {
namespace {

TEST(limits_of, takes_the_settings_over) {
    config::node_config settings;
    settings.max_connections = 17;
    settings.max_connections_per_address = 3;
    settings.max_outgoing_bytes = 40U << 20U;
    settings.idle_timeout = std::chrono::seconds{7};
    settings.io_threads = 2;
    const auto bounds = limits_of(settings);
    EXPECT_EQ(bounds.connections, 17U);
    EXPECT_EQ(bounds.connections_per_address, 3U);
    EXPECT_EQ(bounds.outgoing_pause_bytes, 10U << 20U);
    EXPECT_EQ(bounds.outgoing_soft_bytes, 40U << 20U);
    EXPECT_EQ(bounds.outgoing_hard_bytes, 80U << 20U);
    EXPECT_EQ(bounds.idle_timeout, std::chrono::milliseconds{7000});
    EXPECT_EQ(bounds.io_threads, 2U);
}

TEST(limits_of, agrees_with_the_defaults_here) {
    const limits mine;
    const auto configured = limits_of(config::node_config{});
    EXPECT_EQ(mine.connections, configured.connections);
    EXPECT_EQ(mine.incoming_bytes_total, configured.incoming_bytes_total);
    EXPECT_EQ(mine.outgoing_pause_bytes, configured.outgoing_pause_bytes);
    EXPECT_EQ(mine.outgoing_soft_bytes, configured.outgoing_soft_bytes);
    EXPECT_EQ(mine.outgoing_hard_bytes, configured.outgoing_hard_bytes);
    EXPECT_EQ(mine.outgoing_bytes_total, configured.outgoing_bytes_total);
    EXPECT_EQ(mine.slow_reader_timeout, configured.slow_reader_timeout);
    EXPECT_EQ(mine.slow_frame_timeout, configured.slow_frame_timeout);
    EXPECT_EQ(mine.idle_timeout, configured.idle_timeout);
}

// One answer of the longest kind must fit a connection's queue, or its client could never be served.
TEST(limits_of, leaves_room_for_the_longest_frame) {
    config::node_config settings;
    settings.max_outgoing_bytes = 17U << 20U;
    EXPECT_GT(limits_of(settings).outgoing_soft_bytes, protocol::limits::max_frame_bytes);
}

} // namespace
} // namespace holdfast::network
