// The real binary, as a person at a terminal meets it.
#include "tests/cli/run_holdfast.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace holdfast {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

// A config file that goes with the test.
class config_file {
  public:
    explicit config_file(const std::string& text)
        : path_(std::filesystem::path{testing::TempDir()} /
                ("cli_test-" + std::to_string(::getpid()) + ".conf")) {
        std::ofstream{path_} << text;
    }
    ~config_file() { std::filesystem::remove(path_); }
    config_file(const config_file&) = delete;
    config_file& operator=(const config_file&) = delete;

    [[nodiscard]] std::string path() const { return path_.string(); }

  private:
    std::filesystem::path path_;
};

TEST(cli, says_what_there_is) {
    for (const auto& words : std::vector<std::vector<std::string>>{{"--help"}, {"-h"}, {"help"}}) {
        const auto result = run(words);
        EXPECT_EQ(result.status, 0);
        EXPECT_THAT(result.out,
                    AllOf(HasSubstr("usage: holdfast COMMAND"), HasSubstr("serve"), HasSubstr("consume")));
        EXPECT_THAT(result.err, IsEmpty());
    }
}

TEST(cli, tells_its_version) {
    for (const auto* word : {"version", "--version"}) {
        const auto result = run({word});
        EXPECT_EQ(result.status, 0);
        EXPECT_EQ(result.out, "holdfast " HOLDFAST_VERSION "\n");
    }
}

TEST(cli, does_not_understand_with_status_2) {
    for (const auto& words : std::vector<std::vector<std::string>>{
             {}, {"frobnicate"}, {"--frobnicate"}, {"help", "frobnicate"}, {"help", "config", "--html"}}) {
        const auto result = run(words);
        EXPECT_EQ(result.status, 2);
        EXPECT_THAT(result.out, IsEmpty());
        EXPECT_THAT(result.err, StartsWith("holdfast"));
    }
}

TEST(cli, explains_every_command) {
    for (const auto* name : {"serve", "send", "consume", "topic", "group", "delayed", "cluster", "cert"}) {
        const auto helped = run({"help", name});
        EXPECT_EQ(helped.status, 0) << name << ": " << helped.err;
        EXPECT_THAT(helped.out, HasSubstr("usage: holdfast " + std::string{name}));
        EXPECT_EQ(run({name, "--help"}).out, helped.out);
    }
}

TEST(cli, refuses_delays_that_make_no_sense) {
    for (const auto* delay : {"soon", "10", "s", "0s", "1.5s", "99999999999d", "1s "}) {
        const auto result = run({"send", "T", "x", "--deliver-after", delay});
        EXPECT_EQ(result.status, 2) << delay;
        EXPECT_THAT(result.err, HasSubstr("1500ms")) << delay;
    }
    EXPECT_EQ(run({"send", "T", "x", "--delay-level", "0"}).status, 2);
    EXPECT_EQ(run({"send", "T", "x", "--delay-level", "1", "--deliver-after", "1s"}).status, 2);
}

TEST(cli, refuses_commands_about_delays_and_the_cluster_that_make_no_sense) {
    for (const auto& words : std::vector<std::vector<std::string>>{{"delayed"},
                                                                   {"delayed", "list"},
                                                                   {"delayed", "cancel"},
                                                                   {"delayed", "cancel", "T"},
                                                                   {"delayed", "cancel", "T", "H", "x"},
                                                                   {"cluster"},
                                                                   {"cluster", "frobnicate"},
                                                                   {"cluster", "status", "-n", "nowhere"}}) {
        const auto result = run(words);
        EXPECT_EQ(result.status, 2);
        EXPECT_THAT(result.out, IsEmpty());
        EXPECT_THAT(result.err, StartsWith("holdfast"));
    }
}

TEST(cli, shows_nodes_that_do_not_answer) {
    // Nobody listens on port 1.
    const auto result = run({"cluster", "status", "--namesrv", "127.0.0.1:1;127.0.0.2:1"});
    EXPECT_EQ(result.status, 1);
    EXPECT_THAT(result.out,
                AllOf(HasSubstr("127.0.0.1:1: unreachable: "), HasSubstr("127.0.0.2:1: unreachable: ")));
    EXPECT_THAT(result.err, HasSubstr("there is no leader"));
}

TEST(cli, documents_every_key_with_its_default) {
    const auto help = run({"help", "config"});
    EXPECT_EQ(help.status, 0);
    EXPECT_THAT(help.out, AllOf(HasSubstr("listenPort = 10911"), HasSubstr("flushDiskType = SYNC_FLUSH"),
                                HasSubstr("fileReservedTime = 72"), HasSubstr("brokerIP1")));
    EXPECT_THAT(run({"serve", "--help"}).out, HasSubstr(help.out));
    EXPECT_THAT(run({"help", "config", "--markdown"}).out, HasSubstr("| `listenPort` | `10911` |"));
}

TEST(cli, refuses_a_config_with_file_line_key_and_what_is_allowed) {
    const config_file wrong{"brokerName = b\nlistenPort = 123456\n"};
    const auto result = run({"serve", "--config", wrong.path()});
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.err,
              "holdfast serve: " + wrong.path() +
                  ":2: listenPort = '123456' is not possible; it must be a whole number from 0 to 65535\n");
    const config_file unknown{"listenProt = 1\n"};
    EXPECT_THAT(run({"serve", "--config=" + unknown.path()}).err,
                AllOf(HasSubstr(":1: unknown key 'listenProt'"), HasSubstr("did you mean listenPort?")));
}

TEST(cli, refuses_words_that_serve_does_not_know) {
    const auto refused = [](std::vector<std::string> words) {
        words.insert(words.begin(), "serve");
        const auto result = run(std::move(words));
        EXPECT_EQ(result.status, 2);
        return result.err;
    };
    EXPECT_THAT(refused({"--config"}), HasSubstr("--config needs a file"));
    EXPECT_THAT(refused({"--config", "a", "--config=b"}), HasSubstr("may be given once"));
    EXPECT_THAT(refused({"--config", "/nowhere.conf"}), HasSubstr("/nowhere.conf: can't be opened"));
    EXPECT_THAT(refused({"--listenPort=x"}), HasSubstr("command line: listenPort"));
    EXPECT_THAT(refused({"now"}), HasSubstr("unexpected word 'now'"));
    EXPECT_THAT(refused({"--logFile=/dev/null/log"}), HasSubstr("logFile"));
}

} // namespace
} // namespace holdfast
