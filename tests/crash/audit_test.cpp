// `holdfast audit` on a directory that a node works on under load, and after kill -9: clean each time.
#include "tests/crash/small_broker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <sys/wait.h>

namespace holdfast::crash {
namespace {

using namespace std::chrono_literals;
using testing::broker_process;
using ::testing::HasSubstr;

struct outcome {
    int status = -1;
    std::string text;
};

outcome audit(const std::filesystem::path& directory, const std::string& words = {}) {
    std::string line = HOLDFAST_BINARY;
    line.append(" audit ").append(directory.string()).append(" ").append(words).append(" 2>&1");
    std::FILE* const pipe = ::popen(line.c_str(), "r");
    outcome result;
    std::array<char, 4096> chunk;
    for (std::size_t count = 0; (count = std::fread(chunk.data(), 1, chunk.size(), pipe)) != 0;)
        result.text.append(chunk.data(), count);
    const int status = ::pclose(pipe);
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return result;
}

TEST(audit, is_clean_beside_a_busy_node_and_after_kill_9) {
    const testing::temporary_directory data;
    ledger book{{"orders", "payments"}, 4};
    for (std::uint64_t round = 1; round <= 3; ++round) {
        broker_process broker{small_broker(data, {"--checkpointInterval=200"})};
        ASSERT_TRUE(broker.ready()) << broker.log();
        ASSERT_EQ(make_topics(broker.broker_port(), book), "");
        {
            load clients{book, load_on(broker, round)};
            // Until there was a checkpoint to compare with, and once more.
            bool compared = false;
            for (int audits = 0; audits < 100 && !compared; ++audits) {
                const auto beside = audit(data.path());
                EXPECT_EQ(beside.status, 0) << beside.text;
                EXPECT_THAT(beside.text, HasSubstr("a node is running on it"));
                compared = beside.text.find("as of position 0:") == std::string::npos;
            }
            EXPECT_TRUE(compared);
            EXPECT_EQ(audit(data.path()).status, 0);
            const auto refused = audit(data.path(), "--repair-derived");
            EXPECT_EQ(refused.status, 2);
            EXPECT_THAT(refused.text, HasSubstr("stop it first"));
            broker.kill();
        }
        const auto after = audit(data.path());
        EXPECT_EQ(after.status, 0) << after.text;
        EXPECT_THAT(after.text, HasSubstr("everything holds together"));
    }
    const auto repaired = audit(data.path(), "--repair-derived --json");
    EXPECT_EQ(repaired.status, 0) << repaired.text;
    EXPECT_THAT(repaired.text, HasSubstr("\"verdict\": \"clean\""));
    broker_process broker{small_broker(data)};
    ASSERT_TRUE(broker.ready()) << broker.log();
    EXPECT_EQ(book.verify(broker.broker_port()), "") << broker.log();
}

} // namespace
} // namespace holdfast::crash
