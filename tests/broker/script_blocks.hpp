// The form that scripts share: blocks, separated by blank lines; one event, a line `----`, and what comes of
// it, line by line. Lines that begin with `#` are comments.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

namespace holdfast::broker::testing {

// `name word... key=value...`
struct script_event {
    std::string name;
    std::string subject; // the last word without `=`
    std::map<std::string, std::string> arguments;

    explicit script_event(const std::string& text) {
        std::istringstream words{text};
        words >> name;
        for (std::string word; words >> word;) {
            const auto equals = word.find('=');
            if (equals == std::string::npos)
                subject = word;
            else
                arguments[word.substr(0, equals)] = word.substr(equals + 1);
        }
    }
    [[nodiscard]] bool has(const std::string& key) const { return arguments.contains(key); }
    [[nodiscard]] std::string text(const std::string& key, const std::string& otherwise = {}) const {
        const auto found = arguments.find(key);
        return found == arguments.end() ? otherwise : found->second;
    }
    [[nodiscard]] std::int64_t number(const std::string& key, std::int64_t otherwise) const {
        const auto found = arguments.find(key);
        return found == arguments.end() ? otherwise : std::stoll(found->second);
    }
    // `key=1,2,3`
    [[nodiscard]] std::vector<std::string> list(const std::string& key) const {
        std::vector<std::string> items;
        std::istringstream words{text(key)};
        for (std::string item; std::getline(words, item, ',');)
            items.push_back(item);
        return items;
    }
};

// The script as it really runs: `step` carries out an event and writes what comes of it.
inline std::string run_blocks(const std::string& script,
                              const std::function<void(const script_event&, std::ostream&)>& step) {
    std::istringstream lines{script};
    std::ostringstream out;
    bool skipping = false; // the old expectations of a block
    for (std::string line; std::getline(lines, line);) {
        skipping = skipping && !line.empty();
        if (skipping)
            continue;
        out << line << '\n';
        if (line.empty() || line.front() == '#')
            continue;
        const script_event event{line};
        if (!std::getline(lines, line) || line != "----") {
            ADD_FAILURE() << "an event must be followed by ----, not by: " << line;
            return out.str();
        }
        out << line << '\n';
        skipping = true;
        step(event, out);
    }
    return out.str();
}

// The names of the scripts in a folder, for ::testing::ValuesIn.
inline std::vector<std::string> script_names(const std::filesystem::path& folder) {
    std::vector<std::string> names;
    for (const auto& file : std::filesystem::directory_iterator{folder})
        if (file.path().extension() == ".txt")
            names.push_back(file.path().stem().string());
    std::sort(names.begin(), names.end());
    return names;
}

inline std::string read_script(const std::filesystem::path& folder, const std::string& name) {
    std::ifstream file{folder / (name + ".txt")};
    return {std::istreambuf_iterator<char>{file}, {}};
}

} // namespace holdfast::broker::testing
