// The scripts in group_scripts/*.txt, one test each. When the nodes do something else, the failure shows the
// whole script as it really runs.
#include "tests/broker/group_script.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

namespace holdfast::broker {
namespace {

std::vector<std::string> script_names() {
    std::vector<std::string> names;
    for (const auto& file : std::filesystem::directory_iterator{GROUP_SCRIPTS})
        if (file.path().extension() == ".txt")
            names.push_back(file.path().stem().string());
    std::sort(names.begin(), names.end());
    return names;
}

class group_script : public ::testing::TestWithParam<std::string> {};

TEST_P(group_script, runs_as_written) {
    std::ifstream file{std::filesystem::path{GROUP_SCRIPTS} / (GetParam() + ".txt")};
    const std::string script{std::istreambuf_iterator<char>{file}, {}};
    ASSERT_FALSE(script.empty());
    const auto run = testing::run_group_script(script);
    EXPECT_EQ(run, script) << "as it really runs:\n" << run;
}

INSTANTIATE_TEST_SUITE_P(scripts, group_script, ::testing::ValuesIn(script_names()),
                         [](const auto& script) { return script.param; });

} // namespace
} // namespace holdfast::broker
