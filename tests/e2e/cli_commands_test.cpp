// The friendly commands against the real broker: what they print and how they end.
#include "client/push_consumer.hpp"
#include "tests/e2e/shared_broker.hpp"
#include "tests/storage/temporary_directory.hpp"
#include "tests/support/wait_for.hpp"

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <future>
#include <utility>

namespace holdfast::e2e {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

struct outcome {
    int status = -1;
    std::string text; // standard output and standard error
};

// `words` as in a shell, against the shared broker's name service.
outcome run(const std::string& words, const std::string& input = {}) {
    const auto line = (input.empty() ? std::string{} : "printf '" + input + "' | ") + HOLDFAST_BINARY + " " +
                      words + " -n " + shared_broker().name_servers() + " 2>&1";
    std::FILE* const pipe = ::popen(line.c_str(), "r");
    outcome result;
    std::array<char, 4096> chunk;
    for (std::size_t count = 0; (count = std::fread(chunk.data(), 1, chunk.size(), pipe)) != 0;)
        result.text.append(chunk.data(), count);
    const int status = ::pclose(pipe);
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return result;
}

TEST(cli_commands, topic_create_show_and_list) {
    const auto topic = new_name("cli-topic");
    EXPECT_EQ(run("topic show " + topic).status, 1);
    const auto created = run("topic create " + topic + " --queues 3");
    EXPECT_EQ(created.status, 0) << created.text;
    const auto shown = run("topic show " + topic);
    EXPECT_EQ(shown.status, 0);
    EXPECT_THAT(shown.text,
                AllOf(HasSubstr("3 queues to read, 3 to write, rw"), HasSubstr("0 messages in all")));
    EXPECT_THAT(run("topic list").text, HasSubstr(topic + "\n"));
    EXPECT_THAT(run("topic list").text, Not(HasSubstr("DefaultCluster")));
    EXPECT_THAT(run("topic list --all").text, HasSubstr("DefaultCluster\n"));
    const auto refused = run("topic create 'not a name'");
    EXPECT_EQ(refused.status, 2);
    EXPECT_THAT(refused.text, HasSubstr("holdfast: "));
    EXPECT_EQ(run("topic create " + topic + " --perm x").status, 2);
}

TEST(cli_commands, what_is_sent_is_consumed_and_a_group_goes_on) {
    const auto topic = new_name("cli-topic");
    const auto sent = run("send " + topic + " 'my first message' --tag T --key k1");
    EXPECT_EQ(sent.status, 0) << sent.text;
    EXPECT_THAT(sent.text, HasSubstr(" stored in queue "));
    const auto got =
        run("consume " + topic + " --from first --count 1 --timeout 20 --format '{body}|{tag}|{keys}'");
    EXPECT_EQ(got.status, 0);
    EXPECT_EQ(got.text, "my first message|T|k1\n");
    const auto lines = run("send " + topic + " -", "one\\ntwo\\nthree\\n");
    EXPECT_EQ(lines.status, 0) << lines.text;
    EXPECT_THAT(lines.text, HasSubstr("3 messages stored"));
    const auto more = run("consume " + topic + " --count 3 --timeout 20 --quiet");
    EXPECT_EQ(more.status, 0);
    EXPECT_EQ(more.text, "3 messages\n") << "and the first message does not come again";
}

// A command that runs until it has printed what it waits for.
class running_command {
  public:
    explicit running_command(const std::string& words, const std::string& errors = "/dev/null")
        : pipe_(::popen((std::string{HOLDFAST_BINARY} + " " + words + " -n " +
                         shared_broker().name_servers() + " 2>" + errors)
                            .c_str(),
                        "r")) {}
    ~running_command() {
        if (pipe_ != nullptr)
            (void)output();
    }
    running_command(const running_command&) = delete;
    running_command& operator=(const running_command&) = delete;

    // All of it, when it has ended.
    std::string output() {
        std::string text;
        std::array<char, 4096> chunk;
        for (std::size_t count = 0; (count = std::fread(chunk.data(), 1, chunk.size(), pipe_)) != 0;)
            text.append(chunk.data(), count);
        ::pclose(std::exchange(pipe_, nullptr));
        return text;
    }

  private:
    std::FILE* pipe_;
};

// The broker would say 0, where the topic has lost nothing yet.
TEST(cli_commands, consume_shows_what_comes_from_now_on) {
    const auto topic = new_name("cli-topic");
    const auto group = new_name("cli-group");
    ASSERT_EQ(run("topic create " + topic + " --queues 2").status, 0);
    ASSERT_EQ(run("send " + topic + " -", "old\nolder\n").status, 0);
    running_command tail{"consume " + topic + " --group " + group + " --count 1 --timeout 60"};
    // Where it begins is stored at once: one old message is behind it in each queue.
    ASSERT_TRUE(testing::wait_for(20s, [&] {
        const auto shown = run("group show " + group + " --json").text;
        const auto next = shown.find("\"next\": 1");
        return next != std::string::npos && shown.find("\"next\": 1", next + 1) != std::string::npos;
    })) << run("group show " + group + " --json").text;
    ASSERT_EQ(run("send " + topic + " new").status, 0);
    EXPECT_EQ(tail.output(), "new\n");
}

TEST(cli_commands, consume_of_a_topic_that_is_not_there_yet_shows_its_first_message) {
    const auto topic = new_name("cli-topic");
    const auto group = new_name("cli-group");
    const storage::testing::temporary_directory directory;
    const auto errors = directory.path() / "errors";
    running_command tail{"consume " + topic + " --group " + group + " --count 1 --timeout 60",
                         errors.string()};
    ASSERT_TRUE(testing::wait_for(20s, [&] {
        std::error_code not_there;
        const auto size = std::filesystem::file_size(errors, not_there);
        return !not_there && size > 0;
    })) << "it says that there is no such topic";
    ASSERT_EQ(run("send " + topic + " first").status, 0);
    EXPECT_EQ(tail.output(), "first\n");
}

TEST(cli_commands, consume_begins_at_a_time) {
    const auto topic = new_name("cli-topic");
    ASSERT_EQ(run("topic create " + topic + " --queues 2").status, 0);
    ASSERT_EQ(run("send " + topic + " -", "old\nolder\n").status, 0);
    const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(since_1970).count();
    ASSERT_EQ(run("send " + topic + " new").status, 0);
    const auto got = run("consume " + topic + " --group " + new_name("cli-group") + " --from " +
                         std::to_string(now) + " --count 1 --timeout 20");
    EXPECT_EQ(got.text, "new\n");
}

TEST(cli_commands, group_list_show_reset_clone_and_delete) {
    const auto topic = new_name("cli-topic");
    const auto group = new_name("cli-group");
    ASSERT_EQ(run("topic create " + topic + " --queues 2").status, 0);
    ASSERT_EQ(run("send " + topic + " -", "one\\ntwo\\nthree\\nfour\\n").status, 0);
    const auto drain =
        "consume " + topic + " --group " + group + " --from first --count 4 --timeout 20 --quiet";
    ASSERT_EQ(run(drain).status, 0);
    EXPECT_THAT(run("group list").text, HasSubstr(group));
    const auto shown = run("group show " + group);
    EXPECT_EQ(shown.status, 0) << shown.text;
    EXPECT_THAT(shown.text, AllOf(HasSubstr("nobody consumes now"), HasSubstr("0 messages behind in all")));
    const auto back = run("group reset " + group + " " + topic + " --earliest");
    EXPECT_EQ(back.status, 0) << back.text;
    EXPECT_THAT(back.text, HasSubstr(" queue 1 at 0\n"));
    EXPECT_THAT(run("group show " + group + " --json").text, HasSubstr("\"behind\": 4,\n"));
    ASSERT_EQ(run("group clone " + group + " " + group + "-2 " + topic).status, 0);
    EXPECT_THAT(run("group show " + group + "-2").text, HasSubstr("4 messages behind in all"));
    ASSERT_EQ(run(drain).status, 0) << "all four come again";
    EXPECT_THAT(run("group reset " + group + " " + topic + " --to-time 1h --queue 1 --json").text,
                AllOf(HasSubstr("\"next\": 0"), HasSubstr("\"queue\": 1"), Not(HasSubstr("\"queue\": 0"))));
    EXPECT_THAT(run("group reset " + group + " " + topic + " --latest").text, Not(HasSubstr(" at 0\n")));
    EXPECT_EQ(run("group reset " + group + " " + topic + " --queue 0 --to-offset 1").status, 0);
    EXPECT_EQ(run("group delete " + group).status, 0);
    EXPECT_EQ(run("group show " + group).status, 1);
    EXPECT_EQ(run("group delete " + group).status, 1);
}

TEST(cli_commands, group_says_what_is_wrong) {
    const auto topic = new_name("cli-topic");
    const auto group = new_name("cli-group");
    ASSERT_EQ(run("topic create " + topic).status, 0);
    EXPECT_THAT(run("group show " + group).text, HasSubstr("does not exist; `holdfast group list`"));
    const auto unknown = run("group reset " + group + " " + topic + " --earliest");
    EXPECT_EQ(unknown.status, 1);
    EXPECT_THAT(unknown.text, HasSubstr("does not exist"));
    EXPECT_EQ(run("group reset " + group + " " + topic).status, 2);
    EXPECT_EQ(run("group reset " + group + " " + topic + " --earliest --latest").status, 2);
    EXPECT_EQ(run("group reset " + group + " " + topic + " --to-offset 3").status, 2) << "which queue?";
    EXPECT_EQ(run("group reset " + group + " " + topic + " --to-time someday").status, 2);
    EXPECT_EQ(run("group reset " + group).status, 2);
    EXPECT_EQ(run("group frobnicate").status, 2);
    EXPECT_EQ(run("group clone " + group + " 'not a name'").status, 2);
}

TEST(cli_commands, delayed_cancel_takes_a_message_back) {
    constexpr std::string_view before_handle = "recall handle: ";
    const auto topic = new_name("cli-topic");
    const auto send = [&](const std::string& body) {
        const auto sent = run("send " + topic + " " + body + " --deliver-after 3s");
        EXPECT_EQ(sent.status, 0) << sent.text;
        const auto handle = sent.text.find(before_handle);
        EXPECT_NE(handle, std::string::npos) << sent.text;
        return sent.text.substr(handle + before_handle.size(),
                                sent.text.find('\n', handle) - handle - before_handle.size());
    };
    const auto cancelled = run("delayed cancel " + topic + " " + send("cancelled"));
    EXPECT_EQ(cancelled.status, 0) << cancelled.text;
    EXPECT_THAT(cancelled.text, HasSubstr(" is cancelled and will not be delivered\n"));
    const auto late = send("delivered");
    const auto got = run("consume " + topic + " --from first --count 1 --timeout 20 --format '{body}'");
    EXPECT_EQ(got.text, "delivered\n") << "and the one sent before it does not come";
    EXPECT_EQ(run("delayed cancel " + topic + " " + late).status, 1) << "it is due already";
    EXPECT_NE(run("delayed cancel " + topic + " no-handle").status, 0);
}

TEST(cli_commands, delayed_cancel_knows_messages_by_their_ids_too) {
    const auto topic = new_name("cli-topic");
    ASSERT_EQ(run("topic create " + topic).status, 0);
    // Its id, as `send` prints it.
    const auto send = [&](const std::string& how) {
        const auto sent = run("send " + topic + " body " + how);
        EXPECT_EQ(sent.status, 0) << sent.text;
        return sent.text.substr(0, sent.text.find(' '));
    };
    // The producer's id is found some seconds after the send, at the latest.
    const auto cancel = [&](const std::string& id) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
        auto last = run("delayed cancel " + topic + " " + id);
        while (last.text.find("a new one can be found") != std::string::npos &&
               std::chrono::steady_clock::now() < deadline)
            last = run("delayed cancel " + topic + " " + id);
        return last;
    };
    for (const auto* const how : {"--delay-level 18", "--deliver-after 2h"}) {
        const auto id = send(how);
        const auto cancelled = cancel(id);
        EXPECT_EQ(cancelled.status, 0) << how << ": " << cancelled.text;
        EXPECT_THAT(cancelled.text, HasSubstr(" is cancelled and will not be delivered\n"));
        EXPECT_EQ(cancel(id).status, 1) << "there is nothing left to cancel";
    }
    EXPECT_EQ(cancel(send("")).status, 1) << "it was not delayed";
    EXPECT_EQ(run("delayed cancel other " + send("--delay-level 18")).status, 1) << "it is in another topic";
}

TEST(cli_commands, group_resend_sends_dead_letters_again_once) {
    const auto topic = new_name("cli-topic");
    const auto group = new_name("cli-group");
    EXPECT_THAT(run("group resend " + group).text, HasSubstr("no dead letters of " + group));
    ASSERT_EQ(run("send " + topic + " poison --tag T --key k1 --property own=mine").status, 0);
    {
        client::push_consumer_options options;
        options.client.name_servers = shared_broker().name_servers();
        options.group = group;
        options.from = client::consume_from::first;
        client::push_consumer consumer{options};
        ASSERT_TRUE(consumer.subscribe(topic));
        std::promise<void> given_up;
        ASSERT_TRUE(consumer.start([&](client::delivery got) {
            got.dead_letter();
            given_up.set_value();
        }));
        ASSERT_EQ(given_up.get_future().wait_for(patience), std::future_status::ready);
        // It goes back behind the listener.
        const auto dead = "consume '%DLQ%" + group +
                          "' --from first --count 1 --timeout 20 --quiet --group " + new_name("cli-group");
        ASSERT_EQ(run(dead).status, 0);
        consumer.shutdown(patience);
    }
    const auto resent = run("group resend " + group);
    EXPECT_EQ(resent.status, 0) << resent.text;
    EXPECT_THAT(resent.text, AllOf(HasSubstr(" is sent again to " + topic + " as "),
                                   HasSubstr("1 dead letter of " + group + " sent again\n")));
    const auto got = run("consume " + topic + " --from first --count 2 --timeout 20 --group " +
                         new_name("cli-group") + " --format '{topic}|{body}|{tag}|{keys}'");
    EXPECT_EQ(got.text, topic + "|poison|T|k1\n" + topic + "|poison|T|k1\n") << "as it was at first";
    EXPECT_THAT(run("group resend " + group).text, HasSubstr("no dead letters of " + group + " wait\n"));
}

TEST(cli_commands, end_with_a_status_that_says_why) {
    const auto topic = new_name("cli-topic");
    ASSERT_EQ(run("topic create " + topic).status, 0);
    const auto nothing = run("consume " + topic + " --count 1 --timeout 0.5");
    EXPECT_EQ(nothing.status, 1);
    EXPECT_THAT(nothing.text, HasSubstr("0 of 1 messages after 0.5 s"));
    EXPECT_EQ(run("consume " + topic + " --timeout 0.2").status, 0) << "without --count the time is the end";
    EXPECT_EQ(run("send " + topic).status, 2);
    EXPECT_EQ(run("send 'not a name' body").status, 2);
    EXPECT_EQ(run("topic create 'not a name'").status, 2);
    const auto large = run("send " + topic + " --size 5000000");
    EXPECT_NE(large.status, 0);
    EXPECT_THAT(large.text, HasSubstr("4194304"));
    ASSERT_EQ(run("topic create " + topic + " --perm r").status, 0);
    const auto refused = run("send " + topic + " body");
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.text, HasSubstr("not sent"));
}

} // namespace
} // namespace holdfast::e2e
