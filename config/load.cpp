#include "config/load.hpp"

#include "config/check_cluster.hpp"
#include "config/settings.hpp"

#include <boost/program_options.hpp>
#include <fmt/format.h>

#include <fstream>
#include <istream>
#include <sstream>

namespace holdfast::config {

namespace {

namespace options = boost::program_options;

// Where a value was given: "broker.conf:12" or "command line".
using place = std::string;

struct assignment {
    place where;
    std::string key;
    std::string value;
};

error refusal(const place& where, const std::string& what) {
    return {errc::invalid_argument, where + ": " + what};
}

const options::options_description& known_options() {
    static const auto description = [] {
        options::options_description result;
        for (const auto& each : all_settings())
            result.add_options()(std::string{each.key}.c_str(), options::value<std::string>());
        return result;
    }();
    return description;
}

std::string in_quotes(std::string_view text) {
    constexpr std::size_t longest = 80; // a binary file named by mistake must not flood the terminal
    return fmt::format("'{}{}'", text.substr(0, longest), text.size() > longest ? "..." : "");
}

std::string unknown_key(std::string_view key) {
    const auto nearest = nearest_key(key);
    return fmt::format("unknown key {}{} (`holdfast help config` lists all)", in_quotes(key),
                       nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest));
}

// A file is parsed line by line, so that every message can name its line.
result<std::vector<assignment>> parse_file(std::istream& text, std::string_view name) {
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF"; // some editors begin a file with it
    std::vector<assignment> assignments;
    std::string line;
    for (std::size_t number = 1; std::getline(text, line); ++number) {
        const place where = fmt::format("{}:{}", name, number);
        if (line.find('\0') != std::string::npos)
            return refusal(where, "not a text file");
        if (number == 1 && line.starts_with(byte_order_mark))
            line.erase(0, byte_order_mark.size());
        if (line.find_first_not_of(" \t") == line.find('[') && line.find('[') != std::string::npos)
            return refusal(where, "there are no sections, got " + in_quotes(line));
        std::istringstream one_line{line};
        try {
            const auto parsed = options::parse_config_file(one_line, known_options(), true);
            for (const auto& option : parsed.options)
                assignments.push_back({where, option.string_key, option.value.at(0)});
        } catch (const options::error&) {
            return refusal(where, "expected 'key = value', got " + in_quotes(line));
        }
    }
    if (text.bad())
        return error{errc::io_failed, fmt::format("{}: can't be read", name)};
    return assignments;
}

result<std::vector<assignment>> parse_command_line(const std::vector<std::string>& words) {
    using style = options::command_line_style::style_t;
    const place where = "command line";
    std::vector<assignment> assignments;
    try {
        const auto parsed =
            options::command_line_parser(words)
                .options(known_options())
                .style(style::allow_long | style::long_allow_adjacent | style::long_allow_next)
                .allow_unregistered()
                .run();
        for (const auto& option : parsed.options) {
            const auto key = option.string_key;
            // A foreign key and its value come back as one unregistered word each; ours always with its
            // value.
            if (option.position_key >= 0 || key.empty())
                return refusal(where, "unexpected word " + in_quotes(option.original_tokens.at(0)) +
                                          "; settings are given as --key=value");
            if (option.value.empty())
                return refusal(where, find_foreign_key(key) == nullptr
                                          ? unknown_key(key)
                                          : fmt::format("--{0} needs a value, as --{0}=value", key));
            assignments.push_back({where, key, option.value.at(0)});
        }
    } catch (const options::invalid_command_line_syntax& failure) {
        return refusal(where, failure.get_option_name() + " needs a value, as --key=value");
    } catch (const options::error& failure) {
        return refusal(where, failure.what());
    }
    return assignments;
}

result<void> apply_foreign(const assignment& given, const foreign_key& key,
                           std::vector<std::string>& warnings) {
    const auto said = fmt::format("{} = {}", key.key, in_quotes(given.value));
    if (!key.refused_unless.empty()) {
        const auto harmless = fmt::format("|{}|", key.refused_unless);
        if (harmless.find(fmt::format("|{}|", given.value)) == std::string::npos)
            return refusal(given.where, fmt::format("{} can't be obeyed: {}", said, key.reason));
    }
    warnings.push_back(fmt::format("{}: {} has no meaning here: {}", given.where, said, key.reason));
    return {};
}

// Applies one source (the file, or the command line), in which no key may come twice.
result<void> apply(const std::vector<assignment>& assignments, loaded_config& target, given_places& places) {
    given_places seen;
    for (const auto& given : assignments) {
        const auto [earlier, is_first] = seen.emplace(given.key, given.where);
        if (!is_first)
            return refusal(given.where, fmt::format("{} is already set at {}", given.key, earlier->second));
        if (const auto* const key = find_setting(given.key)) {
            if (const auto assigned = key->assign(target.values, given.value); !assigned)
                return refusal(given.where, fmt::format("{} = {} is not possible; it must be {}", given.key,
                                                        in_quotes(given.value), assigned.failure().message));
            places[std::string{key->key}] = given.where;
        } else if (const auto* const foreign = find_foreign_key(given.key)) {
            if (auto applied = apply_foreign(given, *foreign, target.warnings); !applied)
                return applied;
        } else {
            return refusal(given.where, unknown_key(given.key));
        }
    }
    return {};
}

// What each setting allows by itself may still not fit together.
result<void> check_together(const node_config& values, const given_places& places) {
    const auto place_of = [&](std::string_view first, std::string_view second) {
        auto found = places.find(second);
        if (found == places.end())
            found = places.find(first);
        return found == places.end() ? place{"default values"} : found->second;
    };
    if (values.listen_port == values.namesrv_port && values.listen_port != 0)
        return refusal(
            place_of("listenPort", "namesrvPort"),
            fmt::format("listenPort and namesrvPort must differ, both are {}", values.listen_port));
    // Header, topic and properties (below 32 KiB) come on top of the body, and an entry lies in one segment.
    constexpr std::uint64_t beside_the_body = 64U << 10U;
    if (values.segment_bytes < values.max_message_bytes + beside_the_body)
        return refusal(
            place_of("maxMessageSize", "mappedFileSizeCommitLog"),
            fmt::format(
                "mappedFileSizeCommitLog ({}) must hold a message of maxMessageSize ({}) and 64K beside it",
                values.segment_bytes, values.max_message_bytes));
    if (values.max_bytes_in_flight < 2 * std::uint64_t{values.max_message_bytes})
        return refusal(place_of("maxMessageSize", "maxBytesInFlight"),
                       fmt::format("maxBytesInFlight ({}) must be at least twice maxMessageSize ({})",
                                   values.max_bytes_in_flight, values.max_message_bytes));
    if (values.max_connections_per_address > values.max_connections)
        return refusal(place_of("maxConnections", "maxConnectionsPerAddress"),
                       "maxConnectionsPerAddress must not exceed maxConnections");
    return {};
}

void fill_in_dependent(node_config& values) {
    if (values.node_name.empty())
        values.node_name = values.broker_name;
    if (values.advertised_address.empty())
        values.advertised_address = values.bind_address == "0.0.0.0" ? "127.0.0.1" : values.bind_address;
}

void add_warnings(loaded_config& loaded) {
    const auto& values = loaded.values;
    if (values.flush == flush_type::async)
        loaded.warnings.push_back(
            fmt::format("flushDiskType = ASYNC_FLUSH: a power cut can lose up to {} ms of answered sends",
                        values.flush_interval.count()));
    if (values.faults.any())
        loaded.warnings.emplace_back("faultInjection is set: this node breaks on purpose, for tests only");
    if (values.accept_data_loss)
        loaded.warnings.push_back(
            fmt::format("acceptDataLoss = {}: damage at that position gives up all messages behind it",
                        values.accept_data_loss->value()));
    if (values.bind_address == "0.0.0.0" && values.advertised_address == "127.0.0.1")
        loaded.warnings.emplace_back(
            "bindAddress = 0.0.0.0 without brokerIP1: routes advertise 127.0.0.1, which "
            "clients on other machines can't use");
}

result<loaded_config> combine(const std::vector<assignment>& from_file,
                              const std::vector<std::string>& overrides) {
    const auto from_words = parse_command_line(overrides);
    if (!from_words)
        return from_words.failure();
    loaded_config loaded;
    given_places places;
    for (const auto* const source : {&from_file, &*from_words})
        if (const auto applied = apply(*source, loaded, places); !applied)
            return applied.failure();
    if (const auto checked = check_together(loaded.values, places); !checked)
        return checked.failure();
    if (const auto settled = settle_cluster(loaded.values, places, loaded.warnings); !settled)
        return settled.failure();
    fill_in_dependent(loaded.values);
    add_warnings(loaded);
    return loaded;
}

} // namespace

result<loaded_config> load(const std::optional<std::filesystem::path>& file,
                           const std::vector<std::string>& overrides) {
    if (!file)
        return combine({}, overrides);
    std::error_code failure;
    if (std::filesystem::is_directory(*file, failure))
        return error{errc::not_found,
                     file->string() + ": is a directory, expected a file of key = value lines"};
    std::ifstream text{*file};
    if (!text)
        return error{errc::not_found,
                     file->string() + ": can't be opened; does it exist and may this user read it?"};
    return load(text, file->string(), overrides);
}

result<loaded_config> load(std::istream& text, std::string_view name,
                           const std::vector<std::string>& overrides) {
    const auto from_file = parse_file(text, name);
    if (!from_file)
        return from_file.failure();
    return combine(*from_file, overrides);
}

} // namespace holdfast::config
