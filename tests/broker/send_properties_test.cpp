// What the broker reads in the properties of a send, and the text without WAIT that it stores.
#include "broker/send_properties.hpp"

#include "protocol/properties.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace holdfast::broker {
namespace {

using protocol::message_property;

const delay_rules no_delays;

std::vector<message_property> properties_of(std::string_view text) {
    std::vector<message_property> found;
    for (const auto& one : protocol::properties_view{text})
        found.push_back(one);
    return found;
}

bool lies_in(std::string_view part, std::string_view text) {
    return part.data() >= text.data() && part.data() + part.size() <= text.data() + text.size();
}

// Against the slow way: read all, leave WAIT out, take the last of equal names.
void check(const std::string& text) {
    SCOPED_TRACE(text);
    std::string scratch;
    const auto meant = scan_send_properties(text, no_delays, timestamp_ms{0}, scratch);
    ASSERT_TRUE(meant.ok());
    std::vector<message_property> expected;
    for (const auto& one : properties_of(text))
        if (one.name != "WAIT")
            expected.push_back(one);
    EXPECT_EQ(properties_of(meant->text), expected);
    EXPECT_EQ(meant->unique_key, protocol::find_property(text, "UNIQ_KEY").value_or(""));
    EXPECT_EQ(meant->producer_group, protocol::find_property(text, "PGROUP").value_or(""));
    for (const auto view : {meant->unique_key, meant->producer_group})
        EXPECT_TRUE(view.empty() || lies_in(view, meant->text));
}

TEST(send_properties, WAIT_is_cut_out_wherever_it_stands) {
    const std::string wait = "WAIT\x01true";
    const std::string key = "UNIQ_KEY\x01K1";
    const std::string group = "PGROUP\x01g";
    for (const std::string last : {"", "\x02"}) {
        check(wait + last);
        check(wait + "\x02" + key + "\x02" + group + last);
        check(key + "\x02" + wait + "\x02" + group + last);
        check(key + "\x02" + group + "\x02" + wait + last);
    }
    check("\x02\x02" + wait + "\x02\x02" + key);
}

TEST(send_properties, WAIT_said_twice_is_cut_out_twice) {
    check("WAIT\x01true\x02UNIQ_KEY\x01K1\x02WAIT\x01"
          "false\x02PGROUP\x01g");
}

TEST(send_properties, what_only_looks_like_WAIT_stays) {
    check("WAITING\x01true\x02KEYS\x01WAIT\x02UNIQ_KEY\x01WAIT\x02WAI\x01T");
}

TEST(send_properties, texts_of_all_kinds_mean_what_the_slow_way_says) {
    std::mt19937 random{20261201};
    const auto below = [&](int count) { return std::uniform_int_distribution<int>{0, count - 1}(random); };
    const std::vector<std::string> names{"WAIT", "UNIQ_KEY", "PGROUP", "KEYS", "W", "x", ""};
    const std::vector<std::string> values{"", "t", "true", "WAIT", "a\x01z"};
    for (int round = 0; round < 20'000; ++round) {
        std::string text;
        for (int pieces = below(7); pieces > 0; --pieces) {
            text += names[static_cast<std::size_t>(below(static_cast<int>(names.size())))];
            if (below(8) != 0)
                text += protocol::name_separator;
            text += values[static_cast<std::size_t>(below(static_cast<int>(values.size())))];
            if (pieces > 1 || below(2) == 0)
                text += protocol::property_separator;
        }
        check(text);
        if (HasFailure())
            return;
    }
}

} // namespace
} // namespace holdfast::broker
