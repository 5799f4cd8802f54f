#include "protocol/names.hpp"

#include "protocol/limits.hpp"
#include "protocol/utf8.hpp"

#include <algorithm>
#include <array>

namespace holdfast::protocol {

namespace {

constexpr std::array forbidden_topics{
    schedule_topic,        half_topic,      half_operation_topic,
    check_exhausted_topic, self_test_topic, offset_moved_topic,
};

constexpr std::array system_groups{
    std::string_view{"TOOLS_CONSUMER"},    std::string_view{"FILTERSRV_CONSUMER"},
    std::string_view{"SELF_TEST_C_GROUP"}, std::string_view{"CID_ONS-HTTP-PROXY"},
    std::string_view{"CID_ONSAPI_PULL"},   std::string_view{"CID_ONSAPI_PERMISSION"},
    std::string_view{"CID_ONSAPI_OWNER"},  std::string_view{"CID_RMQ_SYS_TRANS"},
};

constexpr std::array<bool, 256> name_characters = [] {
    std::array<bool, 256> allowed{};
    for (const char character :
         std::string_view{"%|_-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"})
        allowed[static_cast<unsigned char>(character)] = true;
    return allowed;
}();

// Without a branch for each: every send has two names.
bool has_name_characters_only(std::string_view name) {
    bool all = true;
    for (const char character : name)
        all &= name_characters[static_cast<unsigned char>(character)];
    return all;
}

result<void> check_name(std::string_view what, std::string_view name, std::size_t max_bytes) {
    const auto bad = [&](const std::string& why) {
        return error{errc::invalid_argument,
                     std::string{what} + " \"" + std::string{clip_utf8(name, 64)} + "\" " + why};
    };
    if (name.empty())
        return error{errc::invalid_argument, std::string{what} + " must not be empty"};
    if (name.size() > max_bytes)
        return bad("... is " + std::to_string(name.size()) + " bytes long; at most " +
                   std::to_string(max_bytes) + " are allowed");
    if (!has_name_characters_only(name))
        return bad("may contain only the characters % | a-z A-Z 0-9 _ -");
    return {};
}

} // namespace

result<void> check_topic_name(std::string_view topic) {
    return check_name("topic", topic, limits::max_topic_bytes);
}

result<void> check_group_name(std::string_view group) {
    return check_name("group", group, limits::max_group_bytes);
}

bool is_forbidden_to_send(std::string_view topic) {
    return std::find(forbidden_topics.begin(), forbidden_topics.end(), topic) != forbidden_topics.end();
}

bool is_reserved_topic(std::string_view topic) {
    return is_forbidden_to_send(topic) || topic == auto_create_topic || topic == benchmark_topic ||
           topic == trace_topic || topic.starts_with(system_topic_prefix);
}

bool is_system_group(std::string_view group) {
    return group.starts_with(system_group_prefix) ||
           std::find(system_groups.begin(), system_groups.end(), group) != system_groups.end();
}

std::string retry_topic_of(std::string_view group) {
    return std::string{retry_prefix}.append(group);
}

std::string dead_letter_topic_of(std::string_view group) {
    return std::string{dead_letter_prefix}.append(group);
}

bool is_retry_topic(std::string_view topic) {
    return topic.starts_with(retry_prefix);
}

bool is_dead_letter_topic(std::string_view topic) {
    return topic.starts_with(dead_letter_prefix);
}

std::optional<std::string_view> group_of_topic(std::string_view topic) {
    if (is_retry_topic(topic))
        return topic.substr(retry_prefix.size());
    if (is_dead_letter_topic(topic))
        return topic.substr(dead_letter_prefix.size());
    return std::nullopt;
}

} // namespace holdfast::protocol
