// The scripts in send_back_scripts/*.txt, one test each: where a message goes that its consumer could not
// process (plan_send_back), and as what it is written (add_sent_back).
//
//     group retries=N                     the group G, and how often it tries
//     levels s=N,N...                     messageDelayLevel
//     back times=N [level=N] [max=N] [topic=T] [NAME=VALUE...]
//                                         a message of T (at position 4096) that was tried so often, with
//                                         these properties; `max` is the consumer's own limit
//
// A `back` answers with the kind of command, the topic, the delay and the count, and then with the
// properties.
#include "broker/send_back.hpp"

#include "broker/delivery_records.hpp"
#include "tests/broker/script_blocks.hpp"

#include <gtest/gtest.h>

namespace holdfast::broker {
namespace {

using testing::script_event;

class send_back_runner {
  public:
    void step(const script_event& event, std::ostream& out) {
        if (event.name == "group")
            group_.retry_max_times = static_cast<std::uint32_t>(event.number("retries", 16));
        else if (event.name == "levels")
            for (const auto& seconds : event.list("s"))
                rules_.levels.emplace_back(std::stoll(seconds));
        else if (event.name == "back")
            send_back(event, out);
        else
            ADD_FAILURE() << "there is no event " << event.name;
    }

  private:
    void send_back(const script_event& event, std::ostream& out) const {
        std::string properties;
        for (const auto& [name, value] : event.arguments)
            if (name != "times" && name != "level" && name != "max" && name != "topic")
                protocol::append_property(properties, name, value);
        protocol::stored_message_view message;
        const auto topic_name = event.text("topic", "T");
        message.topic = topic_name;
        message.properties = properties;
        message.reconsume_times = static_cast<std::int32_t>(event.number("times", 0));
        message.physical_offset = 4096;
        send_back_request request;
        request.delay_level = static_cast<std::int32_t>(event.number("level", 0));
        if (event.has("max"))
            request.max_reconsume_times = static_cast<std::int32_t>(event.number("max", 0));
        const auto plan = plan_send_back(message, group_, request);
        topic_config topic;
        topic.name = plan.topic;
        topic.id = topic_id{7};
        entry_draft draft;
        const auto place = draft.next_payload();
        const auto added = add_sent_back(message, plan, topic, 0, rules_, {0x7F000001, 10911}, draft);
        ASSERT_TRUE(added.ok()) << added.failure().message;
        print(draft, place, out);
    }

    static void print(const entry_draft& draft, std::size_t place, std::ostream& out) {
        command_cursor cursor{draft.bytes(), storage::entry_header_size};
        const auto command = cursor.next();
        ASSERT_TRUE(command.ok());
        const auto written = protocol::decode_stored_message(draft.bytes().subspan(place));
        ASSERT_TRUE(written.ok());
        out << "to " << written->topic << ", tried " << written->reconsume_times << " times";
        if (command->header.kind == command_kind::delayed)
            out << ", due " << -decode_delayed(command->payload)->due.value() << " ms from now";
        out << '\n';
        for (const auto& [name, value] : protocol::properties_view{written->properties})
            out << "  " << name << ' ' << value << '\n';
    }

    group_config group_ = [] {
        group_config made;
        made.name = "G";
        return made;
    }();
    delay_rules rules_;
};

class send_back_script : public ::testing::TestWithParam<std::string> {};

TEST_P(send_back_script, runs_as_written) {
    const auto script = testing::read_script(SEND_BACK_SCRIPTS, GetParam());
    ASSERT_FALSE(script.empty());
    send_back_runner runner;
    const auto run =
        testing::run_blocks(script, [&](const auto& event, auto& out) { runner.step(event, out); });
    EXPECT_EQ(run, script) << "as it really runs:\n" << run;
}

INSTANTIATE_TEST_SUITE_P(scripts, send_back_script,
                         ::testing::ValuesIn(testing::script_names(SEND_BACK_SCRIPTS)),
                         [](const auto& script) { return script.param; });

} // namespace
} // namespace holdfast::broker
