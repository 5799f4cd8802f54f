// A disk that fails or is full under load, in the real binary: no OK for what is not safe, the reason in
// words, reads go on.
#include "tests/crash/small_broker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::crash {
namespace {

using namespace std::chrono_literals;
using testing::broker_process;
using ::testing::HasSubstr;

// Words of the log when a write or a flush has failed.
constexpr const char* fenced_words = "this node takes no more messages";

class broken_disk : public ::testing::Test {
  protected:
    // The ledger's topics are made while the disk is still sound.
    void SetUp() override {
        broker_process sound{small_broker(data_)};
        ASSERT_TRUE(sound.ready()) << sound.log();
        ASSERT_EQ(make_topics(sound.broker_port(), book_), "");
        ASSERT_EQ(sound.terminate(10s), 0) << sound.log();
    }

    // Loads a broker whose disk breaks soon, until it is fenced, and a little longer.
    void expect_fenced(broker_process& broker, const std::string& reason) {
        ASSERT_TRUE(broker.ready()) << broker.log();
        load clients{book_, load_on(broker, 1)};
        ASSERT_TRUE(broker.says(fenced_words, 20s)) << broker.log();
        // Those whose flush had ended before are still answered, and then nobody.
        EXPECT_TRUE(clients.wait_for_silence(300ms, 10s));
        const auto answered = clients.sends_answered_ok();
        std::this_thread::sleep_for(300ms);
        clients.stop();
        EXPECT_GT(answered, 0U);
        EXPECT_EQ(clients.sends_answered_ok(), answered);
        EXPECT_THAT(broker.log(), HasSubstr(reason));

        const auto refused = send_probe(broker.broker_port());
        ASSERT_TRUE(refused);
        EXPECT_EQ(refused->code(), 14);
        EXPECT_THAT(std::string{refused->command.remark()}, HasSubstr(reason));
        EXPECT_GT(clients.refusals()[14], 0U);
        for (const auto& [code, count] : clients.refusals())
            EXPECT_THAT(code, ::testing::AnyOf(0, 1, 14)) << clients.last_remark(code);
        EXPECT_EQ(book_.verify(broker.broker_port()), "") << broker.log();
    }

    void expect_all_there() {
        broker_process sound{small_broker(data_)};
        ASSERT_TRUE(sound.ready()) << sound.log();
        EXPECT_EQ(book_.verify(sound.broker_port()), "") << sound.log();
        EXPECT_TRUE(send_probe(sound.broker_port())->ok());
    }

    testing::temporary_directory data_;
    ledger book_{{"orders"}, 2};
};

TEST_F(broken_disk, after_a_failed_flush_nothing_is_answered_ok) {
    broker_process broker{small_broker(data_, {"--faultInjection=sync:fail-after=200"})};
    expect_fenced(broker, "injected fault");
    broker.kill();
    expect_all_there();
}

TEST_F(broken_disk, after_a_failed_write_nothing_is_answered_ok) {
    broker_process broker{small_broker(data_, {"--faultInjection=write:fail-after=300"})};
    expect_fenced(broker, "injected fault");
    EXPECT_EQ(broker.terminate(10s), 0) << broker.log();
    expect_all_there();
}

// The same without our own seam: the kernel says EIO to the broker's writes of the log, which are O_DSYNC.
TEST_F(broken_disk, the_kernel_refuses_writes) {
    auto options = small_broker(data_);
    options.command = {"strace",
                       "-f",
                       "-qq",
                       "-o",
                       "/dev/null",
                       "-e",
                       "trace=pwrite64",
                       "-e",
                       "inject=pwrite64:error=EIO:when=100+"};
    broker_process broker{options};
    expect_fenced(broker, "Input/output error");
    broker.kill();
    expect_all_there();
}

TEST_F(broken_disk, a_full_disk_refuses_sends_and_serves_reads) {
    {
        broker_process broker{small_broker(data_)};
        ASSERT_TRUE(broker.ready()) << broker.log();
        load clients{book_, load_on(broker, 2)};
        ASSERT_TRUE(clients.wait_for_sends(1'000, 20s)) << broker.log();
    }
    broker_process full{small_broker(data_, {"--faultInjection=space:full"})};
    ASSERT_TRUE(full.ready()) << full.log();
    ASSERT_TRUE(full.says("messages are refused from now on", 5s)) << full.log();
    const auto refused = send_probe(full.broker_port());
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->code(), 14);
    EXPECT_THAT(std::string{refused->command.remark()}, HasSubstr("the disk is full"));
    EXPECT_EQ(book_.verify(full.broker_port()), "") << full.log();
    EXPECT_EQ(full.terminate(10s), 0) << full.log();
}

} // namespace
} // namespace holdfast::crash
