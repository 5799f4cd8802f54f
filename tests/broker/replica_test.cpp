// The scripts in scripts/*.txt, one test each. When the replica does something else, the failure shows the
// whole script as it really runs.
#include "broker/replica.hpp"

#include "tests/broker/replica_script.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace holdfast::broker {
namespace {

std::vector<std::string> script_names() {
    std::vector<std::string> names;
    for (const auto& file : std::filesystem::directory_iterator{REPLICA_SCRIPTS})
        if (file.path().extension() == ".txt")
            names.push_back(file.path().stem().string());
    std::sort(names.begin(), names.end());
    return names;
}

class replica_script : public ::testing::TestWithParam<std::string> {};

TEST_P(replica_script, runs_as_written) {
    std::ifstream file{std::filesystem::path{REPLICA_SCRIPTS} / (GetParam() + ".txt")};
    const std::string script{std::istreambuf_iterator<char>{file}, {}};
    ASSERT_FALSE(script.empty());
    const auto run = testing::run_replica_script(script);
    EXPECT_EQ(run, script) << "as it really runs:\n" << run;
}

INSTANTIATE_TEST_SUITE_P(scripts, replica_script, ::testing::ValuesIn(script_names()),
                         [](const auto& script) { return script.param; });

} // namespace
} // namespace holdfast::broker
