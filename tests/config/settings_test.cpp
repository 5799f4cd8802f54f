#include "config/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

namespace holdfast::config {
namespace {

using testing::HasSubstr;

TEST(settings, have_each_key_once_and_none_that_is_foreign_too) {
    std::set<std::string_view> keys;
    for (const auto& each : all_settings()) {
        EXPECT_TRUE(keys.insert(each.key).second) << each.key;
        EXPECT_EQ(find_setting(each.key), &each);
        EXPECT_EQ(find_foreign_key(each.key), nullptr) << each.key;
        EXPECT_FALSE(each.meaning.empty()) << each.key;
        EXPECT_FALSE(each.allowed.empty()) << each.key;
    }
    for (const auto& each : all_foreign_keys()) {
        EXPECT_TRUE(keys.insert(each.key).second) << each.key;
        EXPECT_FALSE(each.reason.empty()) << each.key;
    }
}

// The default that the help shows must be one that a file may contain.
TEST(settings, accept_the_text_they_show) {
    for (const auto& each : all_settings()) {
        const auto text = each.show(node_config{});
        if (text.empty())
            continue;
        node_config values;
        const auto assigned = each.assign(values, text);
        ASSERT_TRUE(assigned) << each.key << " = " << text << ": " << assigned.failure();
        EXPECT_EQ(each.show(values), text) << each.key;
    }
}

TEST(settings, set_nothing_when_they_refuse) {
    for (const auto& each : all_settings()) {
        node_config values;
        const auto before = each.show(values);
        if (!each.assign(values, "")) {
            EXPECT_EQ(each.show(values), before) << each.key;
        }
    }
}

TEST(settings, are_found_by_their_older_spelling) {
    const auto* const found = find_setting("mapedFileSizeCommitLog");
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->key, "mappedFileSizeCommitLog");
}

TEST(nearest_key, finds_slips_and_leaves_strangers_alone) {
    EXPECT_EQ(nearest_key("listenport"), "listenPort");
    EXPECT_EQ(nearest_key("brokerNmae"), "brokerName");
    EXPECT_EQ(nearest_key("zzz"), "");
    EXPECT_EQ(nearest_key(std::string(100'000, 'a')), "");
}

TEST(settings_help, names_every_key_with_its_default_within_the_width) {
    const auto help = settings_help(80);
    const auto page = settings_markdown();
    for (const auto& each : all_settings()) {
        const auto value = each.show(node_config{});
        EXPECT_THAT(help, HasSubstr("\n  " + std::string{each.key} + (value.empty() ? "\n" : " = " + value)));
        EXPECT_THAT(page, HasSubstr("| `" + std::string{each.key} + "` |"));
    }
    std::istringstream lines{help};
    for (std::string line; std::getline(lines, line);) {
        if (line.find("messageDelayLevel = ") == std::string::npos) {
            EXPECT_LE(line.size(), 80U) << line;
        }
    }
}

TEST(settings_markdown, is_what_the_docs_say) {
    std::ifstream file{HOLDFAST_SOURCE_DIR "/docs/configuration.md"};
    const std::string page{std::istreambuf_iterator<char>{file}, {}};
    EXPECT_TRUE(page == settings_markdown())
        << "write it anew: build/holdfast help config --markdown > docs/configuration.md";
}

} // namespace
} // namespace holdfast::config
