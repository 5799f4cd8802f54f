#include "protocol/codes.hpp"

#include <array>

namespace holdfast::protocol {

namespace {

// By ordinal.
constexpr std::array<std::string_view, 14> language_names{"JAVA",   "CPP",  "DOTNET", "PYTHON", "DELPHI",
                                                          "ERLANG", "RUBY", "OTHER",  "HTTP",   "GO",
                                                          "PHP",    "OMS",  "RUST",   "NODE_JS"};

} // namespace

std::string_view to_string(language value) {
    const auto ordinal = static_cast<std::size_t>(value);
    return ordinal < language_names.size() ? language_names[ordinal] : "OTHER";
}

language language_named(std::string_view name) {
    for (std::size_t i = 0; i < language_names.size(); ++i)
        if (language_names[i] == name)
            return static_cast<language>(i);
    return language::unknown;
}

language language_numbered(std::int64_t ordinal) {
    if (ordinal < 0 || ordinal >= static_cast<std::int64_t>(language_names.size()))
        return language::unknown;
    return static_cast<language>(ordinal);
}

std::string_view to_string(response_code code) {
    switch (code) {
    case response_code::success:
        return "SUCCESS";
    case response_code::system_error:
        return "SYSTEM_ERROR";
    case response_code::system_busy:
        return "SYSTEM_BUSY";
    case response_code::request_code_not_supported:
        return "REQUEST_CODE_NOT_SUPPORTED";
    case response_code::transaction_failed:
        return "TRANSACTION_FAILED";
    case response_code::flush_disk_timeout:
        return "FLUSH_DISK_TIMEOUT";
    case response_code::slave_not_available:
        return "SLAVE_NOT_AVAILABLE";
    case response_code::flush_slave_timeout:
        return "FLUSH_SLAVE_TIMEOUT";
    case response_code::message_illegal:
        return "MESSAGE_ILLEGAL";
    case response_code::service_not_available:
        return "SERVICE_NOT_AVAILABLE";
    case response_code::version_not_supported:
        return "VERSION_NOT_SUPPORTED";
    case response_code::no_permission:
        return "NO_PERMISSION";
    case response_code::topic_not_exist:
        return "TOPIC_NOT_EXIST";
    case response_code::topic_exist_already:
        return "TOPIC_EXIST_ALREADY";
    case response_code::pull_not_found:
        return "PULL_NOT_FOUND";
    case response_code::pull_retry_immediately:
        return "PULL_RETRY_IMMEDIATELY";
    case response_code::pull_offset_moved:
        return "PULL_OFFSET_MOVED";
    case response_code::query_not_found:
        return "QUERY_NOT_FOUND";
    case response_code::subscription_parse_failed:
        return "SUBSCRIPTION_PARSE_FAILED";
    case response_code::subscription_not_exist:
        return "SUBSCRIPTION_NOT_EXIST";
    case response_code::subscription_not_latest:
        return "SUBSCRIPTION_NOT_LATEST";
    case response_code::subscription_group_not_exist:
        return "SUBSCRIPTION_GROUP_NOT_EXIST";
    case response_code::filter_data_not_exist:
        return "FILTER_DATA_NOT_EXIST";
    case response_code::filter_data_not_latest:
        return "FILTER_DATA_NOT_LATEST";
    case response_code::invalid_parameter:
        return "INVALID_PARAMETER";
    case response_code::consumer_not_online:
        return "CONSUMER_NOT_ONLINE";
    case response_code::consume_message_timeout:
        return "CONSUME_MSG_TIMEOUT";
    case response_code::no_message:
        return "NO_MESSAGE";
    case response_code::flow_control:
        return "FLOW_CONTROL";
    case response_code::illegal_operation:
        return "ILLEGAL_OPERATION";
    }
    return "code";
}

} // namespace holdfast::protocol
