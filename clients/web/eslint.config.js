import vue from 'eslint-plugin-vue'
import ts from 'typescript-eslint'
import parser from 'vue-eslint-parser'

export default ts.config(
  { ignores: ['dist', 'node_modules'] },
  ...ts.configs.strict,
  ...vue.configs['flat/recommended'],
  {
    files: ['**/*.ts', '**/*.vue'],
    languageOptions: { parser, parserOptions: { parser: ts.parser, sourceType: 'module' } },
    rules: {
      'no-console': 'error',
      'eqeqeq': 'error',
      // What a component reads at once must stand above the reading, or the page opens with an error.
      '@typescript-eslint/no-use-before-define': ['error', { functions: false, variables: true }],
      'vue/max-len': ['error', { code: 120, template: 180, ignoreStrings: true, ignoreTemplateLiterals: true }],
      // Layout of markup is left to the writer; these rules double the height of short components.
      'vue/max-attributes-per-line': 'off',
      'vue/singleline-html-element-content-newline': 'off',
      'vue/multi-word-component-names': 'off',
      'vue/html-self-closing': ['error', { html: { void: 'always', normal: 'any', component: 'any' } }],
      'vue/html-closing-bracket-newline': 'off',
      'vue/first-attribute-linebreak': 'off',
      'vue/multiline-html-element-content-newline': 'off',
      'vue/no-v-html': 'error',
    },
  },
)
