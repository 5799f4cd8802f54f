#include "actors/explain_replicas.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::actors {
namespace {

using ::testing::ElementsAre;

watermarks flushed_until(std::uint64_t position) {
    watermarks marks;
    marks.flushed = log_position{position};
    return marks;
}

TEST(explain_replicas, a_node_alone_has_it_or_not) {
    EXPECT_THAT(replicas_of("a", flushed_until(100), {}, log_position{100}),
                ElementsAre(message_replica{"a", 0}));
    EXPECT_THAT(replicas_of("a", flushed_until(90), {}, log_position{100}),
                ElementsAre(message_replica{"a", 10}));
}

TEST(explain_replicas, of_a_group_are_told_one_by_one) {
    cluster_standing group;
    group.followers["c"].matched = log_position{60};
    group.followers["b"].matched = log_position{500};
    group.followers["d"].matched = log_position{0};
    EXPECT_THAT(replicas_of("x", flushed_until(100), group, log_position{100}),
                ElementsAre(message_replica{"x", 0}, message_replica{"b", 0}, message_replica{"c", 40},
                            message_replica{"d", std::nullopt}));
}

} // namespace
} // namespace holdfast::actors
