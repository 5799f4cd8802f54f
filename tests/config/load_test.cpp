#include "config/load.hpp"

#include "config/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace holdfast::config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Optional;

result<loaded_config> load_text(const std::string& text, const std::vector<std::string>& overrides = {}) {
    std::istringstream stream{text};
    return load(stream, "node.conf", overrides);
}

// The message with which it is refused; "accepted" when it is not.
std::string refused(const std::string& text, const std::vector<std::string>& overrides = {}) {
    const auto loaded = load_text(text, overrides);
    return loaded ? "accepted" : loaded.failure().message;
}

TEST(load, gives_every_setting_its_default) {
    const auto loaded = load(std::nullopt, {});
    ASSERT_TRUE(loaded) << loaded.failure();
    EXPECT_EQ(loaded->values.listen_port, 10911);
    EXPECT_EQ(loaded->values.namesrv_port, 9876);
    EXPECT_EQ(loaded->values.flush, flush_type::sync);
    EXPECT_EQ(loaded->values.node_name, "broker-a");
    EXPECT_EQ(loaded->values.advertised_address, "127.0.0.1");
    EXPECT_THAT(loaded->warnings, IsEmpty());
}

TEST(load, reads_a_broker_conf_as_it_is_written_elsewhere) {
    const auto loaded = load_text("\xEF\xBB\xBF# a broker.conf\r\n"
                                  "brokerClusterName=rocket\r\n"
                                  "\r\n"
                                  "  brokerName \t=  broker-7  # the seventh\r\n"
                                  "listenPort=20911\n"
                                  "flushDiskType = ASYNC_FLUSH\n"
                                  "maxMessageSize=65536\n"
                                  "mappedFileSizeCommitLog=64M\n"
                                  "messageDelayLevel=1s 2s 3s\n"
                                  "fileReservedTime=48\n"
                                  "deleteWhen=02;14\n"
                                  "bindAddress=0.0.0.0\n"
                                  "brokerIP1=10.0.0.7\n"
                                  "brokerPermission=4");
    ASSERT_TRUE(loaded) << loaded.failure();
    const auto& values = loaded->values;
    EXPECT_EQ(values.cluster_name, "rocket");
    EXPECT_EQ(values.broker_name, "broker-7");
    EXPECT_EQ(values.node_name, "broker-7");
    EXPECT_EQ(values.listen_port, 20911);
    EXPECT_EQ(values.flush, flush_type::async);
    EXPECT_EQ(values.max_message_bytes, 65536U);
    EXPECT_EQ(values.segment_bytes, 64U << 20U);
    EXPECT_EQ(values.delay_levels.size(), 3U);
    EXPECT_EQ(values.retention, std::chrono::hours{48});
    EXPECT_THAT(values.delete_at_hours, ElementsAre(2U, 14U));
    EXPECT_EQ(values.advertised_address, "10.0.0.7");
    EXPECT_EQ(values.broker_permission, 4U);
    EXPECT_THAT(loaded->warnings, ElementsAre(HasSubstr("ASYNC_FLUSH: a power cut can lose up to 500 ms")));
}

TEST(load, lets_the_command_line_override_the_file) {
    const auto loaded = load_text("listenPort = 1000\nbrokerName = from-file\n",
                                  {"--listenPort=2000", "--namesrvPort", "3000"});
    ASSERT_TRUE(loaded) << loaded.failure();
    EXPECT_EQ(loaded->values.listen_port, 2000);
    EXPECT_EQ(loaded->values.namesrv_port, 3000);
    EXPECT_EQ(loaded->values.broker_name, "from-file");
}

TEST(load, refuses_an_unknown_key_with_its_place_and_the_nearest_one) {
    EXPECT_EQ(
        refused("\nlistenport = 1\n"),
        "node.conf:2: unknown key 'listenport'; did you mean listenPort? (`holdfast help config` lists all)");
    EXPECT_THAT(refused("flushDiscType = SYNC_FLUSH"), HasSubstr("did you mean flushDiskType?"));
    EXPECT_THAT(refused("nothingLikeIt = 1"),
                AllOf(HasSubstr("unknown key"), Not(HasSubstr("did you mean"))));
    EXPECT_THAT(refused("", {"--listenPrt=1"}),
                AllOf(HasSubstr("command line: "), HasSubstr("did you mean listenPort?")));
    EXPECT_THAT(refused("", {"--nothingLikeIt"}), HasSubstr("unknown key 'nothingLikeIt'"));
}

TEST(load, does_not_complete_a_key_that_was_cut_short) {
    EXPECT_THAT(refused("", {"--listen=1"}), HasSubstr("unknown key 'listen'"));
}

TEST(load, refuses_wrong_values_with_what_is_allowed) {
    EXPECT_EQ(refused("listenPort = 65536"),
              "node.conf:1: listenPort = '65536' is not possible; it must be a whole number from 0 to 65535");
    EXPECT_THAT(refused("listenPort = ten"), HasSubstr("a whole number from 0 to 65535"));
    EXPECT_THAT(refused("listenPort ="), HasSubstr("a whole number"));
    EXPECT_THAT(refused("flushDiskType = sync"), HasSubstr("SYNC_FLUSH or ASYNC_FLUSH"));
    EXPECT_THAT(refused("autoCreateTopicEnable = yes"), HasSubstr("true or false"));
    EXPECT_THAT(refused("maxMessageSize = 1T"), HasSubstr("from 1K to 15M"));
    EXPECT_THAT(refused("mappedFileSizeCommitLog = 10000001"), HasSubstr("a multiple of 4K"));
    EXPECT_THAT(refused("brokerName = two words"), HasSubstr("letters, digits"));
    EXPECT_THAT(refused("brokerId = 1"), HasSubstr("from 0 to 0"));
    EXPECT_THAT(refused("brokerPermission = 3"), HasSubstr("2, 4 or 6"));
    EXPECT_THAT(refused("bindAddress = localhost"), HasSubstr("IPv4"));
    EXPECT_THAT(refused("", {"--listenPort=x"}), HasSubstr("command line: listenPort = 'x'"));
}

TEST(load, refuses_a_key_that_is_given_twice_in_one_source) {
    EXPECT_EQ(refused("listenPort = 1\nbrokerName = b\nlistenPort = 1\n"),
              "node.conf:3: listenPort is already set at node.conf:1");
    EXPECT_EQ(refused("", {"--listenPort=1", "--listenPort=2"}),
              "command line: listenPort is already set at command line");
    EXPECT_THAT(refused("haListenPort = 1\nhaListenPort = 1\n"), HasSubstr("already set"));
}

TEST(load, refuses_lines_that_are_not_settings) {
    EXPECT_EQ(refused("brokerName = b\nlistenPort 10911\n"),
              "node.conf:2: expected 'key = value', got 'listenPort 10911'");
    EXPECT_THAT(refused("  [broker]\n"), HasSubstr("no sections"));
    EXPECT_THAT(refused("= 5"), HasSubstr("node.conf:1"));
    EXPECT_THAT(refused(std::string("ELF\0\1", 5)), HasSubstr("not a text file"));
    const std::string long_word(1'000'000, 'x');
    EXPECT_LT(refused(long_word).size(), 300U);
    EXPECT_LT(refused(long_word + " = 1").size(), 300U);
}

TEST(load, refuses_words_that_are_not_settings) {
    EXPECT_THAT(refused("", {"listenPort=1"}), HasSubstr("unexpected word 'listenPort=1'"));
    EXPECT_THAT(refused("", {"--listenPort"}), HasSubstr("--listenPort needs a value"));
    EXPECT_THAT(refused("", {"-x"}), HasSubstr("'-x'"));
    EXPECT_THAT(refused("", {"--haListenPort", "1"}), HasSubstr("--haListenPort=value"));
}

TEST(load, warns_of_rocketmqs_keys_without_a_meaning_here) {
    const auto loaded = load_text("haListenPort = 10912\nbrokerRole = ASYNC_MASTER\n",
                                  {"--sendMessageThreadPoolNums=4", "--transientStorePoolEnable=true"});
    ASSERT_TRUE(loaded) << loaded.failure();
    EXPECT_THAT(
        loaded->warnings,
        ElementsAre(
            AllOf(HasSubstr("node.conf:1: haListenPort = '10912' has no meaning here: "), HasSubstr("Raft")),
            HasSubstr("brokerRole"),
            AllOf(HasSubstr("command line: sendMessageThreadPoolNums"), HasSubstr("workerThreads")),
            HasSubstr("transientStorePoolEnable")));
}

TEST(load, refuses_rocketmqs_keys_that_must_not_be_ignored) {
    EXPECT_THAT(refused("brokerRole = SLAVE"), AllOf(HasSubstr("node.conf:1"), HasSubstr("can't be obeyed")));
    EXPECT_THAT(refused("aclEnable = true"), HasSubstr("access control"));
    EXPECT_THAT(refused("enableDLegerCommitLog = true"), HasSubstr("DLedger"));
    EXPECT_THAT(refused("tls.server.mode = enforcing"), HasSubstr("TLS"));
    EXPECT_EQ(refused("aclEnable = false\nenableDLegerCommitLog = false\n"), "accepted");
}

TEST(load, checks_settings_against_each_other) {
    EXPECT_EQ(refused("listenPort = 9876"),
              "node.conf:1: listenPort and namesrvPort must differ, both are 9876");
    EXPECT_EQ(refused("listenPort = 0\nnamesrvPort = 0\n"), "accepted");
    EXPECT_THAT(refused("mappedFileSizeCommitLog = 1M"),
                AllOf(HasSubstr("node.conf:1: mappedFileSizeCommitLog (1048576)"),
                      HasSubstr("maxMessageSize (4194304)")));
    EXPECT_EQ(refused("mappedFileSizeCommitLog = 1M\nmaxMessageSize = 512K\n"), "accepted");
    EXPECT_THAT(refused("maxBytesInFlight = 16M\nmaxMessageSize = 15M\n"), HasSubstr("twice maxMessageSize"));
    EXPECT_THAT(refused("maxConnections = 5\nmaxConnectionsPerAddress = 6\n"), HasSubstr("must not exceed"));
}

TEST(load, reads_an_operators_word_and_faults_and_warns_of_both) {
    const auto loaded = load_text("acceptDataLoss = 4096\nfaultInjection = sync:ignore\n");
    ASSERT_TRUE(loaded) << loaded.failure();
    EXPECT_THAT(loaded->values.accept_data_loss, Optional(log_position{4096}));
    EXPECT_TRUE(loaded->values.faults.sync_ignore);
    EXPECT_THAT(loaded->warnings, ElementsAre(HasSubstr("breaks on purpose"), HasSubstr("4096")));
}

TEST(load, says_what_is_wrong_with_a_file_it_cant_read) {
    const auto missing = load(std::filesystem::path{"/nowhere/node.conf"}, {});
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.failure().code, errc::not_found);
    EXPECT_THAT(missing.failure().message, HasSubstr("/nowhere/node.conf: can't be opened"));
    const auto folder = load(std::filesystem::path{"/"}, {});
    ASSERT_FALSE(folder);
    EXPECT_THAT(folder.failure().message, HasSubstr("is a directory"));
}

TEST(load, accepts_the_shipped_configs_without_a_warning) {
    std::size_t shipped = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator{HOLDFAST_SOURCE_DIR "/config"}) {
        if (entry.path().extension() != ".conf")
            continue;
        ++shipped;
        const auto loaded = load(entry.path(), {});
        ASSERT_TRUE(loaded) << loaded.failure();
        EXPECT_THAT(loaded->warnings, IsEmpty());
    }
    EXPECT_GE(shipped, 4U);
}

} // namespace
} // namespace holdfast::config
