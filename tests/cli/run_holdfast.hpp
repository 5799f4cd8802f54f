// Runs the real binary and waits for its end.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>
#include <vector>

namespace holdfast {

struct outcome {
    int status = -1; // exit status; -1 = ended by a signal
    std::string out;
    std::string err;
};

inline std::string contents(std::FILE* file) {
    std::string text;
    std::array<char, 4096> chunk;
    std::rewind(file);
    for (std::size_t count = 0; (count = std::fread(chunk.data(), 1, chunk.size(), file)) != 0;)
        text.append(chunk.data(), count);
    std::fclose(file);
    return text;
}

inline outcome run(std::vector<std::string> words) {
    words.insert(words.begin(), HOLDFAST_BINARY);
    std::FILE* out = std::tmpfile();
    std::FILE* err = std::tmpfile();
    const pid_t child = ::fork();
    if (child == 0) {
        ::dup2(::fileno(out), STDOUT_FILENO);
        ::dup2(::fileno(err), STDERR_FILENO);
        std::vector<char*> arguments;
        for (auto& word : words)
            arguments.push_back(word.data());
        arguments.push_back(nullptr);
        ::execv(arguments[0], arguments.data());
        ::_exit(127);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, contents(out), contents(err)};
}

} // namespace holdfast
