// SIGTERM under load, and a second process over the same data.
#include "tests/crash/small_broker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::crash {
namespace {

using namespace std::chrono_literals;
using testing::broker_process;
using ::testing::HasSubstr;

TEST(shutdown, sigterm_under_load_loses_nothing_and_says_so) {
    testing::temporary_directory data;
    ledger book{{"orders", "audit"}, 4};
    for (std::uint64_t round = 0; round < 4; ++round) {
        broker_process broker{small_broker(data)};
        ASSERT_TRUE(broker.ready()) << broker.log();
        if (round == 0) {
            ASSERT_EQ(make_topics(broker.broker_port(), book), "");
        }
        ASSERT_EQ(book.verify(broker.broker_port()), "") << broker.log();
        load clients{book, load_on(broker, round)};
        EXPECT_TRUE(clients.wait_for_sends(1'000, 20s)) << broker.log();
        EXPECT_EQ(broker.terminate(10s), 0) << broker.log();
        EXPECT_THAT(broker.log(), HasSubstr("everything accepted is flushed and answered"));
        clients.stop();
        // The rest: no answer because the connection closed, or a word that makes clients try another broker.
        for (const auto& [code, count] : clients.refusals())
            EXPECT_THAT(code, ::testing::AnyOf(0, 14)) << clients.last_remark(code);
    }
    broker_process broker{small_broker(data)};
    ASSERT_TRUE(broker.ready()) << broker.log();
    EXPECT_EQ(book.verify(broker.broker_port()), "") << broker.log();
}

TEST(shutdown, sigint_and_an_idle_broker) {
    testing::temporary_directory data;
    broker_process broker{small_broker(data)};
    ASSERT_TRUE(broker.ready()) << broker.log();
    ::kill(broker.pid(), SIGINT);
    EXPECT_EQ(broker.wait(10s), 0) << broker.log();
}

TEST(shutdown, a_second_start_over_the_same_data_is_refused) {
    testing::temporary_directory data;
    broker_process first{small_broker(data)};
    ASSERT_TRUE(first.ready()) << first.log();
    broker_process second{small_broker(data)};
    EXPECT_FALSE(second.ready());
    EXPECT_EQ(second.wait(10s), 1);
    EXPECT_THAT(second.log(), HasSubstr("can't start"));
    EXPECT_THAT(second.log(), HasSubstr(data.path().string()));
    EXPECT_THAT(second.log(), HasSubstr(std::to_string(first.pid())));
    const auto sent = send_probe(first.broker_port());
    ASSERT_TRUE(sent);
    EXPECT_TRUE(sent->ok()) << sent->command.remark();
}

} // namespace
} // namespace holdfast::crash
