#include "client/retry_policy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

namespace holdfast::client {
namespace {

// The table of protocol reference 2, row "Java".
TEST(retry_policy, follows_the_java_producer_for_every_code) {
    const std::set<int> retried{1, 14, 16, 17, 204, 205};
    const std::set<int> unconfirmed{10, 11, 12};
    for (int code = 0; code < 3000; ++code) {
        const auto expected = code == 0                    ? send_verdict::stored
                              : retried.contains(code)     ? send_verdict::try_elsewhere
                              : unconfirmed.contains(code) ? send_verdict::not_confirmed
                                                           : send_verdict::give_up;
        EXPECT_EQ(judge_response(code), expected) << "code " << code;
    }
}

TEST(retry_policy, retries_what_the_network_did_and_nothing_else) {
    EXPECT_TRUE(worth_another_try(send_error_kind::timed_out));
    EXPECT_TRUE(worth_another_try(send_error_kind::connection_lost));
    EXPECT_TRUE(worth_another_try(send_error_kind::unreachable));
    EXPECT_FALSE(worth_another_try(send_error_kind::refused));
    EXPECT_FALSE(worth_another_try(send_error_kind::stored_but_not_confirmed));
    EXPECT_FALSE(worth_another_try(send_error_kind::invalid));
    EXPECT_FALSE(worth_another_try(send_error_kind::shut_down));
}

TEST(retry_policy, says_when_a_failed_send_may_be_stored_all_the_same) {
    const auto may_be_stored = [](send_error_kind kind) { return send_error{kind, 0, {}}.may_be_stored(); };
    EXPECT_TRUE(may_be_stored(send_error_kind::stored_but_not_confirmed));
    EXPECT_TRUE(may_be_stored(send_error_kind::timed_out));
    EXPECT_TRUE(may_be_stored(send_error_kind::connection_lost));
    EXPECT_FALSE(may_be_stored(send_error_kind::unreachable));
    EXPECT_FALSE(may_be_stored(send_error_kind::refused));
    EXPECT_FALSE(may_be_stored(send_error_kind::no_route));
}

TEST(retry_policy, describes_a_refusal_with_code_and_remark) {
    EXPECT_THAT(describe_response(17, "topic[x] not exist"),
                ::testing::AllOf(::testing::HasSubstr("code 17"), ::testing::HasSubstr("topic[x] not exist"),
                                 ::testing::HasSubstr("topic create")));
}

} // namespace
} // namespace holdfast::client
